"""What takes Open vSwitch's part of a trial back at the next boot, for its database outlives that."""

from __future__ import annotations

from contextlib import suppress

from builder.host.files import write_atomic
from builder.host.network.journal import Journal, Trial
from builder.profile.rules_run import NETWORK_STATE
from builder.xen.live_switches import DROP_IN, boot_script
from builder.xen.network.places import TRIAL_DROP_IN

_SCRIPT = "undo-openvswitch.sh"


def provide(journal: Journal, trial: Trial, words: tuple[str, ...]) -> None:
    """Before the first step: a script, and a drop-in that has systemd run it before ovs-vswitchd; none for no words."""
    if words:
        write_atomic(journal.folder / _SCRIPT, boot_script(words, trial.boot).encode(), mode=0o700)
        drop_in = DROP_IN.format(folder=NETWORK_STATE, script=_SCRIPT)
        write_atomic(journal.place(TRIAL_DROP_IN), drop_in.encode(), mode=0o644)


def forget(journal: Journal) -> None:
    """The trial is over. The drop-in goes first: it names the script."""
    drop_in = journal.place(TRIAL_DROP_IN)
    drop_in.unlink(missing_ok=True)
    with suppress(OSError):  # not there, or others' files are in it
        drop_in.parent.rmdir()
    (journal.folder / _SCRIPT).unlink(missing_ok=True)
