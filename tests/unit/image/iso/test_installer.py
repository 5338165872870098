"""Finding the installer on small ISOs that pycdlib makes here."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pycdlib
import pytest
from pycdlib.pycdlibexception import PyCdlibException

from builder.errors import BuilderError
from builder.image.iso import SYSTEM_AREA, read_extent, read_installer

INFO = 'Debian GNU/Linux 13.1.0 "Trixie" - Official amd64 NETINST with firmware'


def iso(files: Mapping[str, bytes], *, rock_ridge: str | None = "1.09") -> bytes:
    """A small ISO with these files, and folders for them; names on the ISO 9660 level are numbers."""
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, rock_ridge=rock_ridge, vol_ident="TEST")
    folders: dict[str, str] = {"": ""}
    for number, (path, data) in enumerate(files.items()):
        above = ""
        for part in path.strip("/").split("/")[:-1]:
            here = f"{above}/{part}"
            if here not in folders:
                folders[here] = f"{folders[above]}/D{number}{len(folders)}"
                image.add_directory(folders[here], rr_name=part if rock_ridge else None)
            above = here
        name = path.rsplit("/", 1)[-1] if rock_ridge else None
        image.add_fp(io.BytesIO(data), len(data), f"{folders[above]}/F{number}.;1", rr_name=name)
    out = io.BytesIO()
    image.write_fp(out)
    image.close()
    return out.getvalue()


NETINST = {
    "/.disk/info": INFO.encode() + b"\n",
    "/install.amd/vmlinuz": b"kernel" * 1000,
    "/install.amd/initrd.gz": b"initrd" * 5000,
}


def read(raw: bytes, arch: str = "amd64") -> tuple[str, bytes, str, bytes, str]:
    image = io.BytesIO(raw)
    found = read_installer(image, arch)
    return (
        *(found.kernel.path, read_extent(image, found.kernel)),
        *(found.initrd.path, read_extent(image, found.initrd), found.info),
    )


def test_kernel_initrd_and_release_are_found() -> None:
    assert read(iso(NETINST)) == (
        *("/install.amd/vmlinuz", b"kernel" * 1000),
        *("/install.amd/initrd.gz", b"initrd" * 5000, INFO),
    )


def test_the_one_for_xen_is_preferred() -> None:
    raw = iso(NETINST | {"/install.amd/xen/vmlinuz": b"xen kernel", "/install.amd/xen/initrd.gz": b"xen initrd"})
    assert read(raw)[:4] == ("/install.amd/xen/vmlinuz", b"xen kernel", "/install.amd/xen/initrd.gz", b"xen initrd")


def test_arm64_has_its_own_place() -> None:
    raw = iso({"/install.a64/vmlinuz": b"k", "/install.a64/initrd.gz": b"i"})
    assert read(raw, "arm64") == ("/install.a64/vmlinuz", b"k", "/install.a64/initrd.gz", b"i", "")


# An MBR with the signature that isohybrid's Apple map has, and no partition: pycdlib refuses it.
ODD_MBR = b"ER\x08\0\0\0\x90\x90".ljust(510, b"\0") + b"\x55\xaa"


@pytest.mark.parametrize("area", [ODD_MBR.ljust(SYSTEM_AREA, b"\0"), b"\xff" * SYSTEM_AREA], ids=["odd MBR", "noise"])
def test_boot_records_are_not_looked_at(area: bytes) -> None:
    assert read(area + iso(NETINST)[SYSTEM_AREA:])[1] == b"kernel" * 1000


def test_pycdlib_itself_stumbles_over_them() -> None:
    with pytest.raises(PyCdlibException):
        pycdlib.PyCdlib().open_fp(io.BytesIO(ODD_MBR + iso(NETINST)[len(ODD_MBR) :]))


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        pytest.param(b"", "no ISO image", id="empty"),
        pytest.param(b"#!/bin/sh\n" * 10_000, "cut off|no ISO image", id="a script"),
        pytest.param(bytes(100_000), "no ISO image", id="zeros"),
        pytest.param(iso(NETINST)[:34_000], "cut off: 34000 of", id="only the start"),
        pytest.param(iso(NETINST).rpartition(b"initrdinitrd")[0], "this ISO is cut off", id="cut"),
        pytest.param(iso({"/readme": b"x"}), "no installer for amd64: looked in /install.amd/xen, ", id="no installer"),
        pytest.param(
            iso({"/install.amd/vmlinuz": b"k", "/install.amd/initrd.gz/x": b""}), "no installer", id="a folder"
        ),
        pytest.param(iso({"/a": b"x"}, rock_ridge=None), "no Rock Ridge", id="no Rock Ridge"),
    ],
)
def test_what_is_no_installer_is_refused(raw: bytes, complaint: str) -> None:
    with pytest.raises(BuilderError, match=complaint):
        read_installer(io.BytesIO(raw))


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(BuilderError, match="no place of the installer is known for 'riscv64'"):
        read_installer(io.BytesIO(iso(NETINST)), "riscv64")
