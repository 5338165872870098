"""The guests' volumes in dom0, brought into the state that a boot wants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lab.boots import Case, boot, prepare, stop
from tests.lab.dom0 import LabError
from tests.lab.guest import GuestDisk
from tests.lab.hook import hook_files, lay_hook
from tests.lab.keeper import Standing


@dataclass(frozen=True)
class Bench:
    """For all tests: laying a guest's disk takes minutes. Dom0 has a note of each volume's state, `plain` or `hook`."""

    standing: Standing
    folder: Path

    def ready_for(self, case: Case) -> GuestDisk:
        """The guest's volume, with GRUB in it, and with or without domu's kernel hook."""
        guest = next(one for one in self.standing.guests if one.suite == case.suite)
        wanted, state = "hook" if case.hook else "plain", self._state(guest)
        if state not in {wanted, "plain"}:
            prepare(self.standing.lab, guest, self.standing.device(guest), self.folder)
            self._note(guest, "plain")
        if case.hook and state != "hook":
            self._give_hook(guest)
            self._note(guest, "hook")
        return guest

    def _give_hook(self, guest: GuestDisk) -> None:
        lab, direct = self.standing.lab, Case("pv", guest.suite, "direct")
        row = boot(lab, guest, direct, self.folder)
        if row.result != "booted":
            raise LabError(f"{direct} does not boot: {row.line}")
        print(lay_hook(lab, hook_files(self.folder)))
        stop(lab, direct)

    def _state(self, guest: GuestDisk) -> str:
        return self.standing.lab.ask(f"cat /root/{guest.volume}.state").out.strip()

    def _note(self, guest: GuestDisk, state: str) -> None:
        self.standing.lab.write(f"/root/{guest.volume}.state", state)
