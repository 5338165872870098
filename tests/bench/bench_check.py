"""1,000 guests through `domu check`, beside the stock checker, which reads one rendered file per run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.pairs import paired

GUESTS = 1000
SAMPLE = 50  # runs of the stock checker that are timed; it does one file a run
ROOT = Path(__file__).parent.parent.parent
DOMU = str(Path(sys.executable).with_name("domu"))


def main() -> None:
    print(f"### {GUESTS} guests\n")
    with tempfile.TemporaryDirectory() as folder:
        site = lay_site(Path(folder))
        preseed = Path(folder, "preseed.cfg")
        rendered = subprocess.run([DOMU, "--site", str(site), "render", "g0000"], check=True, stdout=subprocess.PIPE)
        preseed.write_bytes(rendered.stdout)
        ways = {
            "debconf-set-selections --checkonly, a run per file": lambda: stock(preseed),
            f"domu check, {GUESTS} guests in one run": lambda: domu(site),
        }
        print(paired(ways, rounds=3, counts=dict(zip(ways, (SAMPLE, GUESTS), strict=True))))


def lay_site(folder: Path) -> Path:
    """A site with GUESTS guests that differ in name, and so in MAC and volumes."""
    site = folder / "site"
    (site / "profiles").mkdir(parents=True)
    shutil.copy(ROOT / "profiles" / "site.yaml", site / "profiles")
    for number in range(GUESTS):
        text = f"suite: trixie\nmemory: 1024M\npackages: [postgresql]\nlate_commands: [echo {number}]\n"
        (site / "profiles" / f"g{number:04}.yaml").write_text(text)
    return site


def stock(preseed: Path) -> None:
    for _ in range(SAMPLE):
        subprocess.run(["debconf-set-selections", "--checkonly", str(preseed)], check=True)


def domu(site: Path) -> None:
    subprocess.run([DOMU, "--site", str(site), "check"], check=True, stdout=subprocess.DEVNULL)
