"""The process that tells dom0 of the installer's logs, played in a folder: its sleep is ours, and moves the logs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builder.preseed.signals import TOLD, kept_logs, signal
from tests.guests import guest, rendered

URL = "http://user:canary-of-a-secret@mirror.example.org/debian"
HASH = "$y$j9T$canary-of-a-secret$canary.of/a/secret"
# What each five seconds bring; then it is over.
SCENES = """\
[ "$tick" = 2 ] && printf 'one \\033[31m2\\n' >>LOG/syslog
[ "$tick" = 3 ] && echo "two URL" >>LOG/syslog
[ "$tick" = 10 ] && { echo three; echo 'four HASH'; } >>LOG/partman
[ "$tick" = 20 ] && for number in 1 2 3 4 5 6 7 8 9 10; do for more in 1 2 3 4 5 6; do
    echo "$number-$more"; done; done >>LOG/syslog
[ "$tick" = 30 ] && printf '%0999d\\n' 7 >>LOG/syslog
"""
PLAY = """\
tick=0
sleep() {{
    tick=$((tick + 1))
    [ "$tick" = 40 ] && exit 0
{scenes}
    return 0
}}
set -- web1
. {watch}
"""


def play(root: Path, run: Callable[[str], object], *, inside: str = "") -> str:
    """The console after 200 s in the installer's root; `inside` is that root as the shell that runs it sees it."""
    for folder in ("dev", "domu", "var/log"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    script = rendered(guest()).files["/domu/watch"]
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/diskstats").write_text("202 0 xvda 1 2 3 4 5 6 10 8\n202 1 xvda1 1 2 3 4 5 6 20 8\n")
    for path in ("/dev/console", "/var/log", "/proc/diskstats"):
        script = script.replace(path, f"{inside}{path}")
    (root / "domu/watch").write_text(script)
    console = root / "dev/console"
    console.unlink(missing_ok=True)
    console.touch()
    scenes = SCENES.replace("LOG", f"{inside}/var/log").replace("URL", URL).replace("HASH", HASH)
    scenes = scenes.replace('echo "one', "printf '%b\\n' \"one")
    # The console is a device: what is written to a file in its stead must come behind what is there.
    (root / "domu/watch").write_text(script.replace(f">{inside}/dev/console", f">>{inside}/dev/console"))
    run(PLAY.format(scenes=scenes, watch=f"{inside}/domu/watch"))
    return console.read_text()


def expect(console: str) -> None:
    """What dom0 makes of it."""
    assert "canary" not in console
    assert console.startswith("[    0.000000] domu: web1: syslog has 0 bytes, 30 sectors were written\n")
    assert console.count("domu: web1: syslog has ") == 4  # every minute
    assert console.count(signal("web1", TOLD)) == 4  # once whenever they stand still
    logs = kept_logs(console)
    many = [f"{number}-{more}" for number in range(1, 11) for more in range(1, 7)]
    assert logs["syslog"].splitlines() == [
        "one [31m2",
        "two http://***@mirror.example.org/debian",
        *many[-40:],
        "0" * 300,
    ]
    assert logs["partman"].splitlines() == ["three", "four (hash)"]
