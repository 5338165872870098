"""LVM's commands as this machine is asked: who holds a volume, what LVM complains of, what must be installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.lvm import carry_out, read_storage
from builder.host.run import LIMIT, Completed, run
from builder.progress import Silence
from builder.storage.steps import CreateVolume
from builder.units import Size
from tests.lvm_reports import EXTENT, lv, report, text

STEP = CreateVolume("web1", "vg0", "web1-srv", 1, Size(EXTENT), frozenset({"domu"}), filesystem="xfs")


class Machine:
    """LVM with this report; other programs by what the test says."""

    def __init__(self, *rows: dict[str, str], other: Callable[[Sequence[str]], Completed] | None = None) -> None:
        self.rows, self.other = rows, other
        self.called: list[str] = []

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        del stdin, limit, env
        if argv[0] == "lvm":
            return Completed(tuple(argv), 0, text(report(self.rows)).encode(), b"")
        if argv[0] == "udevadm":
            raise BuilderError("the program 'udevadm' is not installed")
        self.called.append(argv[0])
        return self.other(argv) if self.other else Completed(tuple(argv), 0, b"", b"")


def failing(status: int, stderr: str) -> Callable[[Sequence[str]], Completed]:
    return lambda argv: Completed(tuple(argv), status, b"", stderr.encode())


def test_mounts_swap_and_holders_are_told(tmp_path: Path) -> None:
    null = Path("/dev/null").stat().st_rdev
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("1 2 253:6 / /srv rw - ext4 /dev/dm-6 rw\n")
    (tmp_path / "proc/swaps").write_text(
        "Filename Type Size Used Priority\n/dev/null partition 1 0 -2\n/dev/absent p 1 0 -2\n"
    )
    (tmp_path / "sys/dev/block/253:6/holders/dm-7").mkdir(parents=True)
    (tmp_path / "sys/dev/block/253:8/holders").mkdir(parents=True)
    swap = {"lv_kernel_major": str(os.major(null)), "lv_kernel_minor": str(os.minor(null))}
    rows = [lv("a", lv_kernel_minor="6"), lv("b", lv_kernel_minor="8"), lv("c") | swap]
    found = {volume.name: volume.used_by for volume in read_storage(Machine(*rows), tmp_path).volumes()}
    assert found == {"a": ("mounted on /srv", "part of dm-7"), "b": (), "c": ("in use as swap",)}


def test_lvms_notes_are_no_complaint(tmp_path: Path) -> None:
    said = (
        "  WARNING: something old\n  Cannot do it\n  because of that\n  Run `lvcreate --help' for more information.\n"
    )
    with pytest.raises(BuilderError, match="lvcreate failed: Cannot do it; because of that\n") as caught:
        carry_out([STEP], progress=Silence(), runner=Machine(other=failing(3, said)), root=tmp_path)
    assert "The command was: lvcreate --yes" in caught.value.hint


def test_a_failure_without_a_word_gives_its_status(tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match="lvcreate failed: exit status 5"):
        carry_out([STEP], progress=Silence(), runner=Machine(other=failing(5, "")), root=tmp_path)


def test_a_missing_program_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    machine = Machine(other=lambda argv: run(["/absent/" + argv[0]]))
    with pytest.raises(BuilderError) as caught:
        carry_out([STEP], progress=Silence(), runner=machine, root=tmp_path)
    assert caught.value.hint == "nothing was touched; apt-get install xfsprogs"
    assert machine.called == ["mkfs.xfs"]


def test_steps_go_on_in_their_order(tmp_path: Path) -> None:
    machine = Machine()
    carry_out([STEP], progress=Silence(), runner=machine, root=tmp_path)
    assert machine.called == ["mkfs.xfs", "lvcreate", "mkfs.xfs", "lvchange"]
