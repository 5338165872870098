"""What YAML does to people is found, in its place, and bounded."""

from __future__ import annotations

import pytest

from builder.profile.document import Branch, Leaf, Listing, Tree, read_document
from tests.profiles import source

KNOWN = frozenset({"a", "b", "keyboard", "mac", "packages"})


def value(tree: Tree | None) -> object:
    match tree:
        case Branch(entries):
            return {key: value(below) for key, below in entries.items()}
        case Listing(items):
            return [value(item) for item in items]
        case Leaf(found):
            return found
        case _:
            return None


def read(text: str | bytes) -> tuple[object, list[str]]:
    document = read_document(source("web1", text), known=KNOWN)
    return value(document.root), [f"{one.code} {one.place.line}:{one.place.column}" for one in document.findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 'no'\n", {"a": "no"}, id="quoted-no"),
        pytest.param("a: !\n  b\n", None, id="bare-tag"),
        pytest.param("a: 00:16:3e:12:34:56\n", {"a": "00:16:3e:12:34:56"}, id="mac"),
        pytest.param("a: 10:16:30:12:34:56\n", {"a": "10:16:30:12:34:56"}, id="mac-of-digits-is-no-number"),
        pytest.param("a: 12\nb: -3\n", {"a": 12, "b": -3}, id="integers"),
        pytest.param("a: true\nb: False\n", {"a": True, "b": False}, id="truth"),
        pytest.param("a: '012'\nb: \"1.0\"\n", {"a": "012", "b": "1.0"}, id="quoted-numbers"),
        pytest.param("a: 10G\nb: 192.0.2.1\n", {"a": "10G", "b": "192.0.2.1"}, id="sizes-and-addresses"),
        pytest.param("\ufeffa: b\n", {"a": "b"}, id="byte-order-mark"),
        pytest.param("a: &x [b, c]\nb: *x\n", {"a": ["b", "c"], "b": ["b", "c"]}, id="alias"),
        pytest.param("a: |\n  b\n", {"a": "b\n"}, id="block"),
        pytest.param("a:\r\n  - b\r\n", {"a": ["b"]}, id="crlf"),
        pytest.param("---\na: b\n...\n", {"a": "b"}, id="one-document"),
        pytest.param("a: größer\n", {"a": "größer"}, id="utf-8"),
    ],
)
def test_sound_text_is_read_as_it_is_written(text: str, expected: object) -> None:
    found, findings = read(text)
    if expected is not None:
        assert (found, findings) == (expected, [])
    else:
        assert found == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        pytest.param(b"a: \xff\n", "P001 1:4", id="no-utf-8"),
        pytest.param("a: ä\nb: ä".encode("latin-1"), "P001 1:4", id="latin-1"),
        pytest.param("a: b\n".encode("utf-16"), "P001 1:1", id="utf-16"),
        pytest.param("a: b\nb: ö\0\n", "P001 2:5", id="nul"),
        pytest.param("a: b\x1b[31m\n", "P001 1:5", id="escape"),
        pytest.param("a: b\u2028b: c\n", "P001 1:5", id="unseen-line-break"),
        pytest.param("a:\n\t- b\n", "P002 2:1", id="tab"),
        pytest.param("a: [b\n", "P002 2:1", id="open-list"),
        pytest.param("a: 'b\n", "P002 2:1", id="open-quote"),
        pytest.param("a: b: c\n", "P002 1:5", id="two-colons"),
        pytest.param("", "P003 0:0", id="empty"),
        pytest.param("# nothing\n", "P003 0:0", id="only-comments"),
        pytest.param("---\n", "P003 0:0", id="null"),
        pytest.param("- a\n", "P003 0:0", id="list"),
        pytest.param("a\n", "P003 0:0", id="text"),
        pytest.param("a: b\n---\na: c\n", "P003 2:1", id="two-documents"),
        pytest.param("a: " + "[" * 30 + "]" * 30, "P004 1:23", id="deep"),
        pytest.param("a: " + "[" * 100_000, "P004 1:23", id="bottomless"),
        pytest.param("a: b\n" * 60_000, "P004 0:0", id="big"),
        pytest.param("a: [" + "b," * 30_000 + "]\n", "P004 1:40001", id="many"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", "P005 1:4", id="python-tag"),
        pytest.param("a: !!str 12\n", "P005 1:4", id="str-tag"),
        pytest.param("<<: {a: b}\n", "P005 1:1", id="merge-key"),
        pytest.param("a: *nothing\n", "P005 1:4", id="unknown-alias"),
        pytest.param("a: &x [*x]\n", "P005 1:8", id="alias-of-itself"),
        pytest.param("a: b\nb: c\na: d\n", "P006 3:1", id="duplicate-key"),
        pytest.param("{a: b, a: c}\n", "P006 1:8", id="duplicate-key-in-one-line"),
        pytest.param("? [a]\n: b\n", "P007 1:3", id="list-as-key"),
        pytest.param("? ''\n: b\n", "P007 1:3", id="no-key"),
        pytest.param("!!binary a: b\n", "P007 1:1", id="tagged-key"),
        pytest.param("a:\nb: c\n", "P008 1:3", id="nothing"),
        pytest.param("a: ~\n", "P008 1:4", id="tilde"),
        pytest.param("a: NULL\n", "P008 1:4", id="null-value"),
        pytest.param("keyboard: no\n", "P009 1:11", id="norway"),
        pytest.param("a: Yes\n", "P009 1:4", id="yes"),
        pytest.param("a: [on]\n", "P009 1:5", id="on"),
        pytest.param("a: y\n", "P009 1:4", id="y"),
        pytest.param("a: 010\n", "P010 1:4", id="octal"),
        pytest.param("a: 0o10\n", "P010 1:4", id="octal-1.2"),
        pytest.param("a: 0x1F\n", "P010 1:4", id="hexadecimal"),
        pytest.param("a: 0b11\n", "P010 1:4", id="binary"),
        pytest.param("a: 1_000\n", "P010 1:4", id="grouped"),
        pytest.param("a: " + "9" * 5000 + "\n", "P010 1:4", id="long-number"),
        pytest.param("a: 12:30\n", "P010 1:4", id="base-sixty"),
        pytest.param("a: 1.50\n", "P010 1:4", id="fraction"),
        pytest.param("a: 1e3\n", "P010 1:4", id="exponent"),
        pytest.param("a: .inf\n", "P010 1:4", id="infinity"),
        pytest.param("a: 2025-01-31\n", "P010 1:4", id="date"),
        pytest.param("a: 2025-01-31 10:00:00\n", "P010 1:4", id="date-and-time"),
    ],
)
def test_traps_are_found_where_they_are(text: str | bytes, finding: str) -> None:
    assert read(text)[1] == [finding]


def test_aliases_cannot_make_more_of_a_file_than_is_in_it() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert [finding.split()[0] for finding in read(bomb)[1]] == ["P004"]
    ladder = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[[*a{n - 1}]]]]\n" for n in range(1, 40))
    assert [finding.split()[0] for finding in read(ladder)[1]] == ["P004"]


def test_values_of_unknown_keys_are_not_repeated() -> None:
    text = "pasword: 0815\nb: {password: no, x: 12:30}\na: yes\n"
    document = read_document(source("web1", text), known=KNOWN)
    said = "\n".join(str(finding) for finding in document.findings)
    assert len(document.findings) == 4
    assert "'yes'" in said
    assert not any(hidden in said for hidden in ("0815", "'no'", "12:30"))
