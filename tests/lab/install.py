"""domu in dom0, as a user puts it there: a wheel of this tree and a wheelhouse, for a dom0 that sees no package index."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab.dom0 import Lab
from tests.lab.place import ROOT

PREFIX = "/opt/domu"
DOMU = f"{PREFIX}/bin/domu"
_PIP = f"{DOMU.removesuffix('domu')}pip install -q --disable-pip-version-check --no-index --no-deps"


def wheelhouse(folder: Path, python: str) -> Path:
    """The pinned dependencies as wheels for a Python version, `3.11`; fetched once for each requirements.lock."""
    lock = ROOT / "requirements.lock"
    house = folder / f"wheels-{python}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not house.is_dir():
        with tempfile.TemporaryDirectory(dir=folder) as name:
            fetched = Path(name) / "wheels"
            argv = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
            argv += ["--only-binary=:all:", f"--python-version={python}", "--require-hashes"]
            subprocess.run([*argv, "--dest", fetched, "--requirement", lock], check=True)
            fetched.rename(house)
    return house


def wheel(folder: Path) -> Path:
    """This tree as a wheel, made anew."""
    built = folder / "wheel"
    shutil.rmtree(built, ignore_errors=True)
    argv = [sys.executable, "-m", "pip", "wheel", "-qq", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*argv, "--no-build-isolation", "--wheel-dir", built, ROOT], check=True)
    (found,) = built.glob("domu_builder-*.whl")
    return found


def install_domu(lab: Lab, folder: Path) -> str:
    """Into /opt/domu of dom0, with a link in /usr/local/bin; what `domu --version` says there.

    The dependencies take four minutes under emulation, so what is there already stays.
    """
    python = lab.run("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    house, own = wheelhouse(folder, python), wheel(folder)
    if lab.ask(f"test -e {PREFIX}/{house.name}").status:
        lab.copy(house, "/root/wheels")
        lab.run(f"python3 -m venv --clear {PREFIX}", limit=900)
        lab.run(f"{_PIP} /root/wheels/*.whl && touch {PREFIX}/{house.name}", limit=1800)
        lab.run(f"ln -sf {DOMU} /usr/local/bin/domu")
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    if lab.ask(f"test -e {PREFIX}/{digest}").status:
        lab.copy(own.parent, "/root/own", [own.name])
        lab.run(f"{_PIP} --force-reinstall /root/own/{own.name} && touch {PREFIX}/{digest}", limit=900)
    return lab.run("domu --version", limit=120).strip()
