from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Callable

import pytest

from builder.errors import BuilderError
from builder.media.packages import find_package, unpack_index

SHA = "ab" * 32


def stanza(name: str = "hello", version: str = "1.0", **changed: str) -> str:
    fields = {
        "Package": name,
        "Version": version,
        "Description": "says hello\n Package: not-this-one\n .",
        "Filename": f"pool/main/h/{name}_{version}_all.deb",
        "Size": "12",
        "SHA256": SHA,
    } | changed
    return "".join(f"{field}: {value}\n" for field, value in fields.items() if value)


def index(*stanzas: str) -> io.BytesIO:
    return io.BytesIO("\n".join(stanzas).encode())


def test_a_package_is_found_among_others() -> None:
    package = find_package(index(stanza("hell"), stanza("hello"), stanza("hello2")), "hello")
    assert package is not None
    assert (package.name, package.version, package.filename) == ("hello", "1.0", "pool/main/h/hello_1.0_all.deb")
    assert (package.digest.sha256, package.digest.size) == (SHA, 12)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_it_is_found_first_in_the_middle_and_last(place: int) -> None:
    stanzas = [stanza("other1"), stanza("other2")]
    stanzas.insert(place, stanza("hello"))
    assert find_package(index(*stanzas), "hello") is not None


@pytest.mark.parametrize("name", ["absent", "not-this-one", "hell", ""])
def test_what_is_not_there_is_none(name: str) -> None:
    assert find_package(index(stanza("hello")), name) is None


def test_an_empty_index_has_nothing() -> None:
    assert find_package(io.BytesIO(b""), "hello") is None


def test_the_newest_version_counts_as_dpkg_orders_them() -> None:
    found = find_package(index(*(stanza(version=text) for text in ("1.9", "1.10", "1.10~rc1", "1.2"))), "hello")
    assert found is not None
    assert found.version == "1.10"


def test_stanzas_that_straddle_blocks_are_found() -> None:
    # Blocks have 1 MiB; whatever the offset, the stanza must be seen whole.
    for pad in range((1 << 20) - 400, (1 << 20) + 40, 7):
        filler = stanza("filler", Description="x" * (pad - len(stanza("filler", Description="x")) + 1))
        found = find_package(index(filler, stanza("hello"), stanza("last")), "hello")
        assert found is not None, pad


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Size": ""}, "without 'Size'"),
        ({"SHA256": ""}, "without 'SHA256'"),
        ({"Size": "many"}, "cannot be read"),
        ({"SHA256": "abc"}, "no SHA-256"),
        ({"Version": "not a version"}, "cannot be read"),
        ({"Filename": "../../etc/shadow"}, "leads astray"),
        ({"Filename": "/etc/shadow"}, "leads astray"),
        ({"Filename": "pool/./x"}, "leads astray"),
        ({"Filename": "pool//x"}, "leads astray"),
    ],
    ids=str,
)
def test_a_broken_stanza_is_a_clear_error(changed: dict[str, str], words: str) -> None:
    with pytest.raises(BuilderError, match=words):
        find_package(index(stanza(**changed)), "hello")


def test_a_stanza_without_end_is_refused() -> None:
    with pytest.raises(BuilderError, match="without end"):
        find_package(io.BytesIO(b"Package: hello\nX: " + b"x" * (3 << 20)), "hello")


def test_bytes_that_are_no_text_are_a_clear_error() -> None:
    with pytest.raises(BuilderError, match="cannot be read"):
        find_package(io.BytesIO(b"Package: hello\nVersion: \xff\xfe\n"), "hello")


@pytest.mark.parametrize(
    ("path", "pack"),
    [("Packages.xz", lzma.compress), ("Packages.gz", gzip.compress), ("Packages", bytes)],
    ids=["xz", "gz", "plain"],
)
def test_indices_are_unpacked_by_their_ending(path: str, pack: Callable[[bytes], bytes]) -> None:
    with unpack_index(io.BytesIO(pack(b"Package: hello\n")), path) as text:
        assert text.read() == b"Package: hello\n"
