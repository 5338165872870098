from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Mapping

import pytest

from builder.errors import BuilderError
from builder.media.deb import LARGEST, read_members

FILES = {"usr/lib/one": b"1" * 70_000, "usr/lib/two": b"22", "usr/lib/three": b""}


def tar(files: Mapping[str, bytes], *, prefix: str = "./") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def special(kind: bytes, *, size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo("./usr/lib/one")
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def member(name: str, data: bytes, *, size: str = "") -> bytes:
    return (
        f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{size or len(data):<10}`\n".encode()
        + data
        + b"\n" * (len(data) % 2)
    )


def deb(data: bytes, *, name: str = "data.tar.xz", size: str = "") -> bytes:
    return (
        b"!<arch>\n"
        + member("debian-binary", b"2.0\n")
        + member("control.tar.xz", b"odd")
        + member(name, data, size=size)
    )


def read(package: bytes, *wanted: str) -> dict[str, bytes]:
    return {path: b"".join(blocks) for path, _size, blocks in read_members(io.BytesIO(package), wanted)}


@pytest.mark.parametrize("prefix", ["./", ""])
def test_wanted_files_come_out_as_they_went_in(prefix: str) -> None:
    package = deb(lzma.compress(tar(FILES, prefix=prefix)))
    assert read(package, *FILES) == FILES
    assert read(package, "usr/lib/two") == {"usr/lib/two": b"22"}


def test_an_uncompressed_package_is_read_too() -> None:
    assert read(deb(tar(FILES), name="data.tar"), "usr/lib/one") == {"usr/lib/one": FILES["usr/lib/one"]}


def test_sizes_are_told_beforehand() -> None:
    package = io.BytesIO(deb(lzma.compress(tar(FILES))))
    assert [size for _path, size, blocks in read_members(package, FILES) if list(blocks) is not None] == [70_000, 2, 0]


PACKED = lzma.compress(tar(FILES))


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (b"", "no ar archive"),
        (b"<html>It works!</html>", "no ar archive"),
        (b"!<arch>\n", "no data.tar"),
        (b"!<arch>\n" + member("debian-binary", b"2.0\n"), "no data.tar"),
        (b"!<arch>\n" + member("debian-binary", b"", size="-60"), "negative size"),
        (b"!<arch>\n" + b"x" * 60, "cannot be read"),
        (b"!<arch>\nshort", "cannot be read"),
        (deb(PACKED, size="many"), "cannot be read"),
        (deb(PACKED, name="data.tar.zst"), "compression that is not read"),
        (deb(PACKED[: len(PACKED) // 2]), "cannot be read"),
        (deb(b"no xz at all"), "cannot be read"),
        (deb(lzma.compress(b"no tar at all" * 100)), "cannot be read"),
        (deb(lzma.compress(tar(FILES)[:30_000])), "cannot be read"),
        (deb(lzma.compress(tar({"usr/lib/other": b"x"}))), "does not hold usr/lib/one"),
        (deb(lzma.compress(special(tarfile.SYMTYPE, link="/etc/shadow"))), "no plain file"),
        (deb(lzma.compress(special(tarfile.LNKTYPE, link="usr/lib/two"))), "no plain file"),
        (deb(lzma.compress(special(tarfile.CHRTYPE))), "no plain file"),
        (deb(lzma.compress(special(tarfile.DIRTYPE))), "no plain file"),
        (deb(lzma.compress(special(tarfile.REGTYPE, size=LARGEST + 1))), "no plain file"),
    ],
    ids=[
        "nothing",
        "a page",
        "empty ar",
        "no data",
        "a negative size",
        "a bad header",
        "a cut header",
        "a size in words",
        "zstd",
        "half of the xz",
        "not xz",
        "not tar",
        "a cut file",
        "another content",
        "a symbolic link",
        "a hard link",
        "a device",
        "a folder",
        "too large",
    ],
)
def test_hostile_and_broken_packages_end_in_a_clear_error(package: bytes, words: str) -> None:
    with pytest.raises(BuilderError, match=words):
        read(package, "usr/lib/one")
