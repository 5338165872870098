"""A kernel's version and compression, read from its beginning."""

from __future__ import annotations

import contextlib
import gzip
import struct
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.profile.model import Suite
from builder.xen.kernel import HEAD, USUAL, Compression, read_kernel
from tests.kernels import MAGICS, bzimage, xen_elf


@pytest.mark.parametrize("compression", get_args(Compression))
def test_a_bzimage_is_read_by_its_payload(compression: Compression) -> None:
    kernel = read_kernel(bzimage(MAGICS[compression] + bytes(40))[:HEAD], "build/web1/vmlinuz")
    assert (kernel.compression, kernel.version) == (compression, "6.12.1-amd64")
    assert kernel.origin == "read from build/web1/vmlinuz"


def test_other_images() -> None:
    payload = MAGICS["zstd"] + bytes(40)
    zboot = b"MZ\0\0zimg" + struct.pack("<II", 64, len(payload)) + bytes(48) + payload
    image = bytes(0x38) + b"ARM\x64" + bytes(64)
    for data, compression in ((xen_elf(), "none"), (gzip.compress(image), "gzip"), (image, "none"), (zboot, "zstd")):
        kernel = read_kernel(data, "vmlinuz")
        assert (kernel.compression, kernel.version) == (compression, "")


def test_a_bzimage_may_say_no_version_and_leave_out_its_sectors() -> None:
    assert read_kernel(bzimage(MAGICS["xz"] + bytes(9), version=""), "vmlinuz").version == ""
    image = bytearray(bzimage(MAGICS["xz"] + bytes(9), sectors=4))
    image[0x1F1] = 0  # boot.rst: for old loaders' sake 0 means 4
    assert read_kernel(bytes(image), "vmlinuz").compression == "xz"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "is no Linux kernel", id="empty"),
        pytest.param(b"<html>404 Not Found</html>", "is no Linux kernel", id="a web page"),
        pytest.param(MAGICS["xz"] + bytes(99), "is no Linux kernel", id="an archive"),
        pytest.param(
            bzimage(b"\x12\x34" + bytes(40)), "compressed in a way that is not known: it begins with 12 34", id="odd"
        ),
        pytest.param(bzimage(MAGICS["xz"], protocol=0x207), "of before Linux 2.6.26", id="old"),
        pytest.param(bzimage(MAGICS["xz"])[:0x220], "ends in the middle of its header", id="cut in the header"),
        pytest.param(bzimage(MAGICS["xz"])[:4096], "ends before its payload, which begins at byte 21196", id="cut"),
    ],
)
def test_what_is_no_kernel_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BuilderError, match=message) as caught:
        read_kernel(data, "vmlinuz")
    assert caught.value.message.startswith("vmlinuz ")
    assert caught.value.hint


@given(st.binary(max_size=200), st.integers(0, 0x260), st.binary(max_size=8))
def test_any_bytes_are_a_kernel_or_refused(payload: bytes, at: int, noise: bytes) -> None:
    image = bytearray(bzimage(payload))
    image[at : at + len(noise)] = noise
    for data in (payload, bytes(image)):
        with contextlib.suppress(BuilderError):
            assert read_kernel(data, "vmlinuz").compression in get_args(Compression)


def test_what_is_assumed_says_so() -> None:
    assert set(USUAL) == set(get_args(Suite))
    for suite, kernel in USUAL.items():
        assert kernel.origin.startswith("assumed: ")
        assert suite in kernel.origin
    assert USUAL["bookworm"].described == "Linux 6.1, compressed by xz"
