"""The linter's report for people: carets below the right sign, whatever the line holds, and no secret in it."""

from __future__ import annotations

import pytest

from builder.findings import Finding, Findings, Place, Severity
from builder.preseed.linted import Linted, gather
from builder.preseed.syntax import parse_preseed
from builder.report.lint import diff_text, lint_data, lint_text, mended_text, summary


def linted(
    line: str, column: int, *, message: str = "wrong", hint: str = "", suites: tuple[str, ...] = ("trixie",)
) -> Linted:
    """A file of one line with one finding."""
    findings = Findings()
    findings.add(Finding("L999", message, hint, Place("p.cfg", 1, column)))
    return gather(
        "p.cfg", parse_preseed(line.encode("utf-8", "surrogateescape") + b"\n"), dict.fromkeys(suites, findings)
    )


def excerpt(line: str, column: int) -> tuple[str, str]:
    """The line and the carets, without the gutter."""
    _head, shown, carets, _summary = lint_text([linted(line, column)]).splitlines()
    return shown.removeprefix("    1 | "), carets.removeprefix("      | ")


@pytest.mark.parametrize(
    ("line", "column", "shown", "carets"),
    [
        pytest.param("d-i a/b sting x", 9, "d-i a/b sting x", "        ^^^^^", id="a word"),
        pytest.param("d-i\ta/b\tsting x", 9, "d-i    a/b    sting x", " " * 14 + "^^^^^", id="tabs"),
        pytest.param("d-i 日本/b x", 5, "d-i 日本/b x", "    ^^^^^^", id="wide signs have two columns"),
        pytest.param("日本 x", 4, "日本 x", "     ^", id="behind wide signs"),
        pytest.param("e\N{COMBINING ACUTE ACCENT}e x", 4, "e\N{COMBINING ACUTE ACCENT}e x", "  ^", id="combining signs have none"),
        pytest.param("a\N{NO-BREAK SPACE}b", 2, "a<U+00A0>b", " ^^^^^^^^", id="a sign without a shape is spelt out"),
        pytest.param("a \x1b[31mb", 3, "a <ESC>[31mb", "  " + "^" * 10, id="no control sign reaches the terminal"),
        pytest.param("a \udcff b", 3, "a <FF> b", "  ^^^^", id="a byte that is no UTF-8"),
        pytest.param("d-i a/b string x  ", 17, "d-i a/b string x", " " * 16 + "^^", id="blanks at the end"),
        pytest.param("d-i a/b", 8, "d-i a/b", " " * 7 + "^", id="behind the end"),
    ],
)  # fmt: skip
def test_carets_stand_below_what_is_meant(line: str, column: int, shown: str, carets: str) -> None:
    assert excerpt(line, column) == (shown, carets)


@pytest.mark.parametrize("column", [1, 60, 5000, 100_000])
def test_long_lines_are_cut_around_the_caret(column: int) -> None:
    line = "".join(f"{number:x} " for number in range(40_000))
    shown, carets = excerpt(line, column)
    assert len(shown) <= 100
    assert "^" in carets
    begin = carets.index("^")
    word = line[column - 1 :].split(" ")[0] or " "
    assert shown[begin:].startswith(word)


def test_a_long_word_is_cut_too() -> None:
    shown, carets = excerpt("d-i a/b string " + "x" * 10_000, 16)
    assert shown.endswith("...")
    assert len(shown) <= 100
    assert len(carets) == len(shown)


@pytest.mark.parametrize(
    ("line", "column", "shown"),
    [
        pytest.param("d-i passwd/root-password password hunter2", 5, "d-i passwd/root-password password ******", id="a password"),
        pytest.param("d-i passwd/root-pasword string hunter2", 5, "d-i passwd/root-pasword string ******", id="a misspelt one"),
        pytest.param("d-i passwd/root-password hunter2", 26, "d-i passwd/root-password ******", id="one without a type"),
        pytest.param("d-i passwd/root-password pasword hunter2", 26, "d-i passwd/root-password ******", id="one with a wrong type"),
        pytest.param("passwd/root-password hunter2", 1, "******", id="one without anything"),
        pytest.param("d-i passwd/user-password-crypted password $6$ab$hunter2", 5, "d-i passwd/user-password-crypted password ******", id="a hash"),
        pytest.param("d-i netcfg/wireless_wpa string hunter2", 5, "d-i netcfg/wireless_wpa string ******", id="a network's key"),
        pytest.param("d-i preseed/late_command string echo root:hunter2 | chpasswd", 5, "d-i preseed/late_command string ******", id="a command"),
        pytest.param("d-i mirror/http/proxy string http://me:hunter2@proxy/", 5, "d-i mirror/http/proxy string ******", id="a URL"),
        pytest.param("# d-i passwd/root-password password hunter2", 1, "#******", id="a comment"),
        pytest.param("d-i passwd/make-user boolean true", 5, "d-i passwd/make-user boolean true", id="no secret: a boolean"),
        pytest.param("d-i passwd/username string ada", 5, "d-i passwd/username string ada", id="no secret: a name"),
    ],
)  # fmt: skip
def test_secrets_are_masked(line: str, column: int, shown: str) -> None:
    assert excerpt(line, column)[0] == shown


def test_the_caret_of_a_masked_value_is_below_the_mask() -> None:
    line = "d-i passwd/root-password password hunter2 and more"
    assert excerpt(line, 43) == ("d-i passwd/root-password password ******", " " * 34 + "^^^^^^")


@pytest.mark.parametrize(
    "message", ["'hunter2' is no choice", "hunter2 is odd", 'it says "hunter2"', "line 1: 'see hunter2'"]
)
def test_messages_do_not_repeat_secrets(message: str) -> None:
    line = "d-i passwd/root-password password see hunter2"
    file = linted(line, 5, message=message, hint=f"not {message}")
    assert "hunter2" not in lint_text([file])
    assert "hunter2" not in str(lint_data([file], ok=False))


def test_messages_about_commands_keep_their_plain_words() -> None:
    line = "d-i preseed/late_command string read password </tmp/hunter2; printf x"
    text = lint_text([linted(line, 5, message="it is read again; not '</tmp/hunter2;'", hint="where printf reads it")])
    assert "it is read again; not '******'" in text
    assert "where printf reads it" in text


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param("debian-installer/locale is a select", None, id="a name begins with it"),
        pytest.param("the installer asks, grub-installer/only_debian: always", None, id="a name ends in it"),
        pytest.param("debian's password stands here", None, id="whose password it is"),
        pytest.param("write debian", "write ******", id="a value"),
        pytest.param("'debian/locale' is odd", "'******/locale' is odd", id="a value with a slash"),
        pytest.param("see http://debian/x", "see http://******/x", id="a URL"),
        pytest.param("see /srv/debian", "see /srv/******", id="a path"),
    ],
)
def test_a_secret_that_is_a_common_word_spoils_no_names(message: str, shown: str | None) -> None:
    text = lint_text([linted("d-i passwd/root-password password debian", 5, message=message)])
    assert text.splitlines()[0].endswith(f"L999: {shown or message}")


def test_messages_about_one_line_do_not_repeat_the_secret_of_another() -> None:
    data = b"d-i passwd/root-password password hunter2\nd-i a/b string x\n"
    findings = Findings()
    findings.add(Finding("L999", "unlike 'hunter2' of line 1", "", Place("p.cfg", 2, 1)))
    assert "hunter2" not in lint_text([gather("p.cfg", parse_preseed(data), {"trixie": findings})])


def test_what_one_suite_alone_has_is_marked() -> None:
    both, one = Finding("L998", "both", "", Place("p.cfg", 1, 1)), Finding("L999", "one", "", Place("p.cfg", 1, 1))
    bookworm, trixie = Findings(), Findings()
    bookworm.extend([both])
    trixie.extend([both, one])
    file = gather("p.cfg", parse_preseed(b"x\n"), {"bookworm": bookworm, "trixie": trixie})
    text = lint_text([file])
    assert "L998: both\n" in text
    assert "L999: one (trixie only)\n" in text
    data = lint_data([file], ok=False)
    assert [found["suites"] for found in data["findings"]] == [["bookworm", "trixie"], ["trixie"]]


def test_data_has_the_columns_of_the_file() -> None:
    (found,) = lint_data([linted("d-i passwd/root-password password hunter2", 35)], ok=False)["findings"]
    assert (found["line"], found["column"], found["end"]) == (1, 35, 42)


def test_findings_about_the_whole_file_have_no_excerpt() -> None:
    findings = Findings()
    findings.add(Finding("Q101", "it asks", "answer it", Place("p.cfg"), Severity.WARNING))
    text = lint_text([gather("p.cfg", parse_preseed(b""), {"trixie": findings})])
    assert text == "p.cfg: warning Q101: it asks\n    answer it\n1 file linted for trixie: 1 warning"


def test_what_a_file_leaves_out_stands_behind_what_its_lines_say() -> None:
    findings = Findings()
    findings.add(Finding("Q101", "it asks", "", Place("p.cfg"), Severity.WARNING))
    findings.add(Finding("L999", "wrong", "", Place("p.cfg", 1, 1)))
    text = lint_text([gather("p.cfg", parse_preseed(b"x\n"), {"trixie": findings})])
    assert text.index("L999") < text.index("Q101")


def test_a_summary_counts_files_and_suites() -> None:
    clean = gather("p.cfg", parse_preseed(b""), {"bookworm": Findings(), "trixie": Findings()})
    assert summary([clean, clean]) == "2 files linted for bookworm, trixie: no findings"
    assert mended_text({"a": {"L112": 2}, "b": {"L112": 1, "L102": 1}}) == "; 4 mended (L102 1, L112 3)"
    assert mended_text({}) == ""


def test_colour_is_only_paint() -> None:
    file = linted("d-i a/b sting x", 9)
    painted = lint_text([file], colour=True)
    assert "\x1b[1;31merror L999\x1b[0m" in painted
    assert painted.replace("\x1b[1;31m", "").replace("\x1b[0m", "") == lint_text([file])


def test_a_diff_shows_no_secret_and_spells_signs_out() -> None:
    before = b"  # x\r\nd-i passwd/root-password password hunter2\n"
    after = b"# x\nd-i passwd/root-password password hunter2\n"
    assert diff_text("p.cfg", before, after) == (
        "--- p.cfg\n+++ p.cfg (mended)\n@@ -1,2 +1,2 @@\n-  # x<CR>\n+# x\n d-i passwd/root-password password ******\n"
    )
