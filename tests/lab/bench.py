"""The guests' volumes in dom0, brought into the state that a boot wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.boots import Case, boot, prepare, stop
from tests.lab.dom0 import LabError
from tests.lab.guest import GuestDisk
from tests.lab.hook import hook_files, lay_hook
from tests.lab.keeper import Standing


@dataclass
class Bench:
    """One for all tests: laying a guest's disk takes minutes."""

    standing: Standing
    folder: Path
    laid: dict[str, bool] = field(default_factory=dict)  # suite -> has the hook

    def ready_for(self, case: Case) -> GuestDisk:
        """The guest's volume, with GRUB in it, and with or without domu's kernel hook."""
        guest = next(one for one in self.standing.guests if one.suite == case.suite)
        lab = self.standing.lab
        if case.suite not in self.laid or (self.laid[case.suite] and not case.hook):
            prepare(lab, guest, self.standing.device(guest), self.folder)
            self.laid[case.suite] = False
        if case.hook and not self.laid[case.suite]:
            direct = Case("pv", case.suite, "direct")
            row = boot(lab, guest, direct, self.folder)
            if row.result != "booted":
                raise LabError(f"{direct} does not boot: {row.line}")
            print(lay_hook(lab, hook_files(self.folder)))
            stop(lab, direct)
            self.laid[case.suite] = True
        return guest
