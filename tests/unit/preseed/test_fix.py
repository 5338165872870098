"""What `domu lint --fix` mends, what it leaves to a person, and the laws that hold for any file."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.findings import Severity
from builder.host.catalogue import shipped_catalogue
from builder.preseed.fix import apply_edits, fix
from builder.preseed.given import Given
from builder.preseed.lint import RULES
from builder.preseed.mends import MENDS, Edit
from builder.preseed.rule import Subject
from builder.preseed.syntax import parse_preseed

TRIXIE = Given(catalogue=shipped_catalogue("trixie"), others=(shipped_catalogue("bookworm"),))
BOOKWORM = Given(catalogue=shipped_catalogue("bookworm"), others=(shipped_catalogue("trixie"),))


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        pytest.param("L102", b"  # x\n", b"# x\n", id="an indented comment"),
        pytest.param("L102", b"d-i a/b string x\n\t# d-i a/c string y\n", b"d-i a/b string x\n# d-i a/c string y\n", id="an entry commented out"),
        pytest.param("L108", b"d-i pkgsel/include string a \\ \n  b\n", b"d-i pkgsel/include string a \\\n  b\n", id="blanks behind a backslash"),
        pytest.param("L110", b"\xef\xbb\xbf# x\n", b"# x\n", id="a byte order mark"),
        pytest.param("L112", b"# x\r\nd-i a/b string x\r\n", b"# x\nd-i a/b string x\n", id="CR LF"),
        pytest.param("L117", b"tasksel tasksel/first multiselect standard \t\n", b"tasksel tasksel/first multiselect standard\n", id="blanks at the end"),
        pytest.param("L117", b"tasksel tasksel/first multiselect standard ", b"tasksel tasksel/first multiselect standard", id="blanks at the end of the file"),
        pytest.param("L118", b"tasksel tasksel/first multiselect\t  standard\n", b"tasksel tasksel/first multiselect\tstandard\n", id="blanks before a value"),
        pytest.param("L119", b"tasksel tasksel/first Multiselect standard\n", b"tasksel tasksel/first multiselect standard\n", id="a type in capitals"),
        pytest.param("L120", b"d-i netcfg/enable bool true\n", b"d-i netcfg/enable boolean true\n", id="a nickname of a type"),
        pytest.param("L121", b"d-i netcfg/enable true\n", b"d-i netcfg/enable boolean true\n", id="no type"),
        pytest.param("L124", b"d-i preseed/early_command string rm \\\n/tmp/*\n", b"d-i preseed/early_command string rm \\\n  /tmp/*\n", id="a pattern as a continuation"),
        pytest.param("L126", b"d-i preseed/early_command string tail \\\n-n\n", b"d-i preseed/early_command string tail \\\n  -n\n", id="echo's option as a continuation"),
        pytest.param("L202", b"d-i partman/confirm_nooverwrit boolean true\n", b"d-i partman/confirm_nooverwrite boolean true\n", id="a misspelt question"),
        pytest.param("L205", b"d-i hostname string web1\n", b"d-i netcfg/get_hostname string web1\n", id="a boot parameter"),
        pytest.param("L210", b"d-i tasksel/first multiselect standard\n", b"tasksel tasksel/first multiselect standard\n", id="the owner of a package's question"),
        pytest.param("L301", b"d-i debian-installer/locale string en_US.UTF-8\n", b"d-i debian-installer/locale select en_US.UTF-8\n", id="the template's type"),
        pytest.param("L302", b"tasksel tasksel/first string standard\n", b"tasksel tasksel/first multiselect standard\n", id="the template's type for a package"),
        pytest.param("L305", b"tasksel tasksel/first multiselect standard ssh-server\n", b"tasksel tasksel/first multiselect standard, ssh-server\n", id="choices without commas"),
        pytest.param("L306", b"d-i clock-setup/utc boolean True \n", b"d-i clock-setup/utc boolean true \n", id="True"),
        pytest.param("L307", b"d-i clock-setup/utc boolean no\n", b"d-i clock-setup/utc boolean false\n", id="no"),
        pytest.param("L330", b"d-i netcfg/enable boolean true\n#\nd-i netcfg/enable boolean true\n", b"d-i netcfg/enable boolean true\n#\n", id="the same entry twice"),
    ],
)  # fmt: skip
def test_what_is_certain_is_mended(code: str, before: bytes, after: bytes) -> None:
    done = fix(before, (TRIXIE,))
    assert done.data == after
    assert done.mended[code] >= 1


def test_every_mend_has_an_example() -> None:
    (parameters,) = (mark for mark in test_what_is_certain_is_mended.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {example.values[0] for example in parameters.args[1]} == set(MENDS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"  # wget \\\n  -q\n", id="a comment that is continued"),
        pytest.param(b"d-i preseed/late_command string a; \\\n  # b \\\n  c\n", id="a comment within a command: it would run what it hides"),
        pytest.param(b"d-i pkgsel/include string a \\ \nd-i netcfg/enable boolean true\n", id="blanks behind a backslash above an entry"),
        pytest.param(b"d-i pkgsel/include string a \\ \n\n  b\n", id="blanks behind a backslash above a blank line"),
        pytest.param(b"d-i preseed/late_command string one; \\\n", id="a backslash at the end: the rest may be missing"),
        pytest.param(b"tasksel tasksel/first multiselect \\ ", id="a value that is a backslash and a blank"),
        pytest.param(b"d-i passwd/user-fullname Debian User\n", id="a type left out before two words"),
        pytest.param(b"d-i no/such Yes\n", id="no type for an unknown question"),
        pytest.param(b"d-i netcfg/get_hostname string a\nd-i hostname string b\n", id="a boot parameter beside its question"),
        pytest.param(b"d-i netcfg/get_hostname string a\nd-i netcfg/get_host_name string b\n", id="a misspelt question beside the right one"),
        pytest.param(b"d-i clock-setup/utc boolean maybe\n", id="a boolean that is anything"),
        pytest.param(b"d-i clock-setup/utc boolean true # yes\n", id="a boolean and a comment"),
        pytest.param(b"d-i netcfg/enable boolean true\nd-i netcfg/enable boolean false\nd-i netcfg/enable boolean true\n", id="entries that differ in between"),
        pytest.param(b"d-i netcfg/enable boolean true\nd-i netcfg/enable seen false\nd-i netcfg/enable boolean true\n", id="a seen line in between"),
        pytest.param(b"# domu: ignore L307\nd-i clock-setup/utc boolean no\n", id="silenced in the line above"),
        pytest.param(b"# domu: ignore-file L112\nd-i netcfg/enable boolean true\r\n", id="silenced in the file"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_left(data: bytes) -> None:
    done = fix(data, (TRIXIE,))
    assert (done.data, done.mended) == (data, {})


def test_a_mend_must_be_right_for_every_suite() -> None:
    only_in_trixie = b"d-i tasksel/first multiselect standard\nd-i auto-install/cloak_initrd_presed boolean true\n"
    mended = fix(only_in_trixie, (TRIXIE,)).data
    assert b"cloak_initrd_preseed " in mended
    both = fix(only_in_trixie, (BOOKWORM, TRIXIE))
    assert b"cloak_initrd_presed " in both.data
    assert both.data.startswith(b"tasksel ")


def test_ignored_codes_are_left() -> None:
    assert fix(b"  # x\r\n", (TRIXIE,), ignored=frozenset({"L102"})).data == b"  # x\n"


def test_edits_do_not_move_each_other() -> None:
    assert apply_edits(b"abcdef", [Edit(4, 6, b""), Edit(0, 1, b"XY"), Edit(2, 2, b"-")]) == b"XYb-cd"


WORDS = r"""
d-i # tasksel o partman/confirm partman/confirm_nooverwrit netcfg/enable tasksel/first hostname a/b
string boolean bool strng multiselect seen true True no x \ \n /tmp/* -n {{ # ;
"""
FIELDS = st.sampled_from(WORDS.split())
GAPS = st.sampled_from([b" ", b"  ", b"\t", b"\r", b"\xc2\xa0", b""])
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b" \n", b"\\\n", b"\\ \n", b" \\\r\n", b"\0", b""])
LINES = st.builds(
    lambda indent, words, end: indent + b"".join(word.encode() + gap for word, gap in words) + end,
    st.sampled_from([b"", b"", b" ", b"\t", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(FIELDS, GAPS), max_size=6),
    ENDS,
)
ENTRY_LINES = st.builds(
    lambda words, end: " ".join(words).encode() + end,
    st.tuples(
        st.sampled_from(["d-i", "tasksel", "o", " d-i"]),
        st.sampled_from(["partman/confirm_nooverwrit", "netcfg/enable", "tasksel/first", "hostname", "time/zone"]),
        st.sampled_from(["string", "boolean", "bool", "select", "seen", "multiselect "]),
        st.sampled_from(["true", "no", "yes ", "standard ssh-server", "x \\", ""]),
    ),
    ENDS,
)
COMMENTS = st.sampled_from([b"# domu: ignore L102\n", b"  # domu: ignore-file L330 L301\n", b"# x\n", b"\n"])
FILES = st.lists(ENTRY_LINES | LINES | COMMENTS, max_size=12).map(b"".join)


def errors(data: bytes) -> Counter[str]:
    file = parse_preseed(data)
    subject = Subject(file, TRIXIE)
    return Counter(rule.code for rule in RULES if rule.severity is Severity.ERROR for _ in rule.check(subject))


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_a_second_run_changes_nothing(data: bytes) -> None:
    once = fix(data, (TRIXIE,))
    again = fix(once.data, (TRIXIE,))
    assert (again.data, again.mended) == (once.data, {})


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_no_error_is_added_and_no_other_line_is_touched(data: bytes) -> None:
    done = fix(data, (TRIXIE,))
    assert errors(done.data) <= errors(data)
    new = Counter(done.data.split(b"\n")) - Counter(data.split(b"\n"))
    assert new.total() <= sum(done.mended.values())
    assert (done.data == data) == (not done.mended)
