"""What is read of a dom0 about booting: a made-up root, and xl's words as they were recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.boot import read_boot_facts, read_kernel_file
from builder.host.run import LIMIT, Completed
from builder.workflows.boot import kernel_findings
from builder.xen.boot_facts import Need, assumed_facts
from tests.guests import guest
from tests.kernels import MAGICS, bzimage

DATA = Path(__file__).parent.parent.parent / "data" / "xl"
INFO = (DATA / "4.17-alone-info.txt").read_bytes()
XEN = {"sys/hypervisor/type": b"xen\n", "proc/xen/capabilities": b"control_d\n"}
FILES = {
    "usr/lib/grub-xen/grub-x86_64-xen.bin": b"",
    "usr/lib/grub-xen/grub-i386-xen_pvh.bin": b"",
    "usr/lib/xen-4.17/bin/pygrub": b"",
    "usr/libexec/xen-qemu-system-i386": b"",
    "usr/lib/x86_64-linux-gnu/libxenguest.so.4.17": b"\x7fELF\0liblzma.so.5\0libzstd.so.1\0libz.so.1\0",
}


def root_with(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def xl(info: bytes, status: int = 0) -> object:
    def runner(
        argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        assert tuple(argv) == ("xl", "info"), (stdin, limit, env)
        return Completed(tuple(argv), status, info if not status else b"", b"" if not status else info)

    return runner


def test_a_dom0_is_looked_at(tmp_path: Path) -> None:
    facts = read_boot_facts(xl(INFO), assumed_facts("4.11"), root_with(tmp_path, XEN | FILES))  # type: ignore[arg-type]
    assert (facts.xen.value, facts.xen.origin) == ((4, 17), "read here")
    assert all(told.value and told.origin == "read here" for told in facts.has.values())
    assert facts.has.keys() == assumed_facts().has.keys()
    assert facts.unpacks.value == {"none", "lz4", "gzip", "xz", "lzma", "zstd"}
    assert facts.unpacks.origin.endswith("libxenguest.so.4.17 needs liblzma.so, libz.so, libzstd.so")


@pytest.mark.parametrize(
    ("path", "need"),
    [
        ("usr/lib/grub-xen/grub-x86_64-xen.bin", "pvgrub"),
        ("usr/lib/grub-xen/grub-i386-xen_pvh.bin", "pvhgrub"),
        ("usr/lib/xen-4.17/bin/pygrub", "pygrub"),
        ("usr/libexec/xen-qemu-system-i386", "qemu"),
    ],
)
def test_what_is_missing_is_known_to_be(path: str, need: Need, tmp_path: Path) -> None:
    files = {name: data for name, data in FILES.items() if name != path}
    facts = read_boot_facts(xl(INFO), assumed_facts(), root_with(tmp_path, XEN | files))  # type: ignore[arg-type]
    assert [name for name, told in facts.has.items() if not told.value] == [need]


def test_a_processor_without_hvm_is_seen(tmp_path: Path) -> None:
    info = INFO.replace(b" hvm hap", b"")
    assert info != INFO
    facts = read_boot_facts(xl(info), assumed_facts(), root_with(tmp_path, XEN | FILES))  # type: ignore[arg-type]
    assert not facts.has["hvm"].value


def test_what_cannot_be_read_stays_assumed_with_the_reason(tmp_path: Path) -> None:
    files = {name: data for name, data in FILES.items() if "libxenguest" not in name}
    refusal = xl(b"Permission denied\n", 1)
    facts = read_boot_facts(refusal, assumed_facts(), root_with(tmp_path, XEN | files))  # type: ignore[arg-type]
    for told in (facts.xen, facts.has["hvm"]):
        assert told.is_assumed
        assert "not read here: xl info failed: xl works for root only" in told.origin
    assert facts.unpacks == assumed_facts().unpacks
    assert facts.has["pvgrub"].origin == "read here"


def test_a_machine_without_xen_says_nothing_of_its_own(tmp_path: Path) -> None:
    said = assumed_facts("4.20")
    assert read_boot_facts(xl(INFO), said, root_with(tmp_path, FILES)) is said  # type: ignore[arg-type]


def test_a_kernels_file(tmp_path: Path) -> None:
    assert read_kernel_file(tmp_path / "vmlinuz") is None
    with pytest.raises(BuilderError, match="cannot be read: Is a directory"):
        read_kernel_file(tmp_path)


@pytest.mark.parametrize(
    ("kind", "compression", "codes"),
    [
        ("pv", "zstd", []),
        ("pv", "xz", []),
        ("pv", "lz4", ["X102"]),
        ("pv", "", ["X107"]),
        ("pvh", "lz4", []),
        ("pvh", "", []),
    ],
)
def test_a_build_refuses_a_kernel_that_cannot_be_started(
    kind: str, compression: str, codes: list[str], tmp_path: Path
) -> None:
    vmlinuz = tmp_path / "vmlinuz"
    vmlinuz.write_bytes(bzimage(MAGICS[compression] + bytes(9)) if compression else b"linux")
    assert [finding.code for finding in kernel_findings(guest(type=kind), vmlinuz)] == codes
