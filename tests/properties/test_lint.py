"""The linter's laws: it says something or nothing of any bytes, and never fails; comments silence what they name."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.host.catalogue import shipped_catalogue
from builder.preseed.given import NOTHING, Given, Hardware
from builder.preseed.lint import MOST, lint
from builder.preseed.syntax import parse_preseed
from builder.units import Size
from tests.preseed_faults import FAULTS

TRIXIE, BOOKWORM = (shipped_catalogue(suite) for suite in ("trixie", "bookworm"))
HARDWARE = Hardware("pv", ("/dev/xvda",), Size.parse("5G"), Size.parse("1G"))
GIVENS = (
    NOTHING,
    Given(TRIXIE, (BOOKWORM,), "initrd", HARDWARE),
    Given(BOOKWORM, (TRIXIE,), "network", Hardware(None, (), Size.parse("20G"), Size.parse("64M"))),
    Given(BOOKWORM, (), "file"),
)
# Names that rules know, names that nobody knows, and words that a mistake puts there.
KNOWN = sorted(
    {
        line.split()[1].decode()
        for fault in FAULTS
        for line in fault.data.split(b"\n")
        if len(line.split()) > 2 and line.isascii()
    }
)
QUESTIONS = st.sampled_from([*KNOWN, *TRIXIE.by_name]) | st.text(min_size=1, max_size=12)
TYPES = st.sampled_from(["string", "boolean", "select", "multiselect", "password", "note", "seen", "bool", "\\"])
WORDS = st.sampled_from(
    [
        "true", "yes", "::", ":", ".", "-1", "500", "9" * 5000, "20%", "ext4", "mountpoint{", "}", "/", "$lvmok{", "[", "]",
        "/dev/sda1", "/dev/xvda,/dev/xvdb", "in-target", "apt-get", ">", "/etc/x", "|", ";", "'", '"', "$(", "#", "\\",
        "{{", "http://a:b@c/", "$6$", "192.0.2.1/33", "fe80::1%x", "standard,", "\u00a0", "x" * 3000, "[" * 300,
    ]
)  # fmt: skip
VALUES = st.lists(WORDS | st.text(max_size=8), max_size=12).map(" ".join)
OWNERS = st.sampled_from(["d-i", "tasksel", "popularity-contest", "#", "pkg"])
LINES = st.tuples(OWNERS, QUESTIONS, TYPES, VALUES).map(" ".join)
ENDS = st.sampled_from(["\n", "\n", "\n", " \\\n", "\r\n", "\0"])
FILES = st.lists(st.tuples(LINES | st.text(max_size=20), ENDS).map("".join), max_size=12).map(
    lambda lines: "".join(lines).encode("utf-8", "surrogatepass")
)


def check(data: bytes, known: Given) -> None:
    file = parse_preseed(data)
    numbers = {line.number for line in file.lines} | {1}
    for finding in lint(file, "p.cfg", given=known):
        assert finding.place.line in numbers
        assert finding.message
        assert finding.hint or finding.message.startswith("and more")


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(GIVENS))
def test_any_bytes(data: bytes, known: Given) -> None:
    check(data, known)


@settings(max_examples=300, deadline=None)
@given(FILES, st.sampled_from(GIVENS))
def test_lines_with_all_that_rules_look_for(data: bytes, known: Given) -> None:
    check(data, known)


@settings(deadline=None)
@given(FILES)
def test_what_is_ignored_is_not_found_and_nothing_else_changes(data: bytes) -> None:
    file = parse_preseed(data)
    everything = [*lint(file, given=GIVENS[1])]
    codes = sorted({finding.code for finding in everything})
    for code in codes[:3]:
        rest = [*lint(file, given=GIVENS[1], ignored=frozenset({code}))]
        assert rest == [finding for finding in everything if finding.code != code]


AMOUNTS = st.sampled_from(["500", "-1", "9" * 18, "9" * 5000, "0500", "20%", "1+9%", "x", "1+", "["])
RECIPE_LINES = st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from(["ext4", "x", "{", "[a]"]), VALUES, st.just("."))


@settings(deadline=None)
@given(st.lists(RECIPE_LINES.map(" ".join), max_size=3), AMOUNTS, st.sampled_from(GIVENS))
def test_recipes(lines: list[str], cap: str, known: Given) -> None:
    method = f"d-i partman-auto/method string lvm\nd-i partman-auto/cap-ram string {cap}"
    text = f"{method}\nd-i partman-auto/expert_recipe string x :: {' '.join(lines)}\n"
    check(text.encode("utf-8", "surrogatepass"), known)


BIG = 400_000  # bytes: with a square in it, any of these would take minutes
HOSTILE = {
    "unknown names": b"".join(b"d-i a%d/b%d string x\n" % (n, n) for n in range(BIG // 24)),
    "nearly known names": b"".join(b"d-i partman/confirm%d boolean true\n" % n for n in range(BIG // 36)),
    "one name": b"".join(b"d-i time/zone select Z%d\n" % n for n in range(BIG // 26)),
    "one long name": b"d-i partman/" + b"a" * BIG + b" string x\n",
    "one long value": b"tasksel tasksel/first multiselect " + b"a " * (BIG // 2) + b"\n",
    "a long command": b"d-i preseed/late_command string " + b"echo a: | " * (BIG // 10) + b"\n",
    "many quotes": b"d-i preseed/late_command string " + b"'\"" * (BIG // 2) + b"\n",
    "a long recipe": b"d-i partman-auto/expert_recipe string x :: " + b"[{ " * (BIG // 3) + b"\n",
    "recipes": b"d-i partman-auto/expert_recipe string x :: a b c d . e f\n" * (BIG // 58),
    "long hashes": b"d-i passwd/root-password-crypted password $6$" + b"a" * BIG + b"!\n",
    "URLs": b"d-i mirror/http/proxy string " + b"://a:" * (BIG // 5) + b"\n",
    "continuations": b"d-i pkgsel/include string a \\\n" + b"  b \\\n" * (BIG // 6),
    "comments to the linter": b"# domu: ignore L201\nd-i a/b string x\n" * (BIG // 40),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_large_files_of_one_kind(kind: str) -> None:
    found = lint(parse_preseed(HOSTILE[kind]), given=replace(GIVENS[1], loading="network"))
    counts = Counter(finding.code for finding in found)
    assert all(count <= MOST + 1 for count in counts.values())
