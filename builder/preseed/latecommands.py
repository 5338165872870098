"""Steps that run before and at the end of an installation: each a file of the initrd, run by one script per phase.

Files, because preseed_command (preseed-common 1.125) writes the command of a preseed line to syslog and runs it as
`sh -c COMMAND`: a long line of quoted quotes, hashes in argv and in /var/log/installer/syslog of the guest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from builder.preseed.quoting import UnfitValueError, shell
from builder.preseed.signals import FAILED, SIGN

HOME = "/domu"
Phase = Literal["early", "late"]
Where = Literal["installer", "target"]
# The installer runs early_command again when a DHCP server names a preseed URL (network-preseed 1.125, isinstallable
# and postinst), so the early script remembers that it ran.
_ONCE = "[ -e /var/run/domu-early.ran ] && exit 0\n: >/var/run/domu-early.ran\n"
# Standard input stays debconf's, which in-target (di-utils 1.155) needs for packages that ask.
_RUNNER = """\
#!/bin/sh
# The {phase} steps of a guest, in order. What they print is kept in {log};
# a step that fails is named there and in syslog, the others still run, and installer and dom0 are told at the end.
guest={guest}
{once}mkdir -p {folder}
(umask 077 && : >>{log})
failed=
for step in {home}/{phase}/*; do
    [ -e "$step" ] || continue
    name=${{step##*/}}
    echo "== $name" >>{log}
{run}
    [ "$status" = 0 ] && continue
    echo "== $name failed with status $status" >>{log}
    logger -t domu "{phase} step $name failed with status $status"
    failed="$failed $name"
done
[ -z "$failed" ]{done} && exit 0
echo "{sign}: $guest: {phase} {failed}$failed" >/dev/console
echo "failed {phase} steps:$failed; see {log}" >&2
exit 1
"""
_LOG = {"early": "/var/log/domu-early.log", "late": "/target/var/log/domu-late.log"}
_RUN: dict[Phase, str] = {
    "early": """\
    sh "$step" >>/var/log/domu-early.log 2>&1
    status=$?""",
    "late": """\
    case $name in
    *.target)
        (umask 077 && cp "$step" /target/var/tmp/domu-step)
        in-target sh -c 'exec sh /var/tmp/domu-step >>/var/log/domu-late.log 2>&1'
        status=$?
        rm -f /target/var/tmp/domu-step
        ;;
    *)
        sh "$step" >>/target/var/log/domu-late.log 2>&1
        status=$?
        ;;
    esac""",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One script: `name` says what it does, for the log; `where` target: inside the installed system."""

    name: str
    script: str
    where: Where = "installer"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(?:[ -][a-z0-9]+)*", self.name):
            raise UnfitValueError(f"{self.name!a} is no name for a step: small letters, digits and single blanks")
        if self.where not in {"installer", "target"}:
            raise UnfitValueError(f"where is {self.where!a}; it is installer or target")
        if "\0" in self.script:
            raise UnfitValueError(f"the script of step {self.name!a} contains a NUL")


def path_of(phase: Phase) -> str:
    """The script that runs a phase's steps: what preseed/early_command and preseed/late_command call."""
    return f"{HOME}/{phase}.sh"


def scripts(phase: Phase, guest: str, steps: Sequence[Step]) -> dict[str, str]:
    """Files of the initrd, by path: the phase's script and its steps."""
    log = _LOG[phase]
    runner = _RUNNER.format(
        phase=phase,
        guest=shell(guest),
        home=HOME,
        sign=SIGN,
        failed=FAILED,
        log=log,
        folder=log.rpartition("/")[0],
        run=_RUN[phase],
        once=_ONCE if phase == "early" else "",
        done=f" && : >{HOME}/late.done" if phase == "late" else "",
    )
    numbered = {
        f"{HOME}/{phase}/{number:03}-{step.name.replace(' ', '-')}.{step.where}": step.script
        for number, step in enumerate(steps, 1)
    }
    return {path_of(phase): runner, **numbered}
