"""Templates are read as cdebconf and debconf read them, and nothing in a file stops the reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.host.run import run
from builder.preseed.templates import LARGEST, Template, parse_templates, split_choices

WHOLE = """\
Template: toy/colour
Type: select
Choices-C: red, light\\, blue, ${MORE}
Choices: Red, Light\\, blue, ${MORE}
Choices-de.UTF-8: Rot, Hell\\, blau, ${MORE}
Default: red
Description: Colour:
 Choose the colour of
 the toy.
 .
 Examples:
  - red
  - blue
 and so on.
Description-de.UTF-8: Farbe:
 W\u00e4hlen Sie.

Template: toy/why
Type: string
Description: Why?
"""
LOAD = r"""
use strict; use JSON::PP; use Debconf::Db; use Debconf::Template;
Debconf::Db->load; my @all = Debconf::Template->load($ARGV[0], 'toy'); my @out;
for my $one (@all) { my $name = $one->template;
  push @out, { name => $name, map { $_ => scalar $Debconf::Db::templates->getfield($name, $_) } qw(type default description extended_description) }; }
print JSON::PP->new->ascii->encode(\@out);
"""
DATABASE = (
    "Config: c\nTemplates: t\n\nName: c\nDriver: File\nFilename: {0}/c\n\nName: t\nDriver: File\nFilename: {0}/t\n"
)


def read(text: str | bytes, *, source: bool = False) -> tuple[Template, ...]:
    """The templates of a file with which nothing is wrong."""
    data = text.encode() if isinstance(text, str) else text
    templates, findings = parse_templates(data, name="toy.templates", source=source)
    assert not list(findings)
    return templates


def test_a_whole_file() -> None:
    colour, why = read(WHOLE)
    assert colour == Template(
        "toy/colour",
        "select",
        "red",
        ("red", "light, blue"),
        substituted=True,
        description="Colour:",
        extended="Choose the colour of the toy.\n\nExamples:\n - red\n - blue\nand so on.",
    )
    assert why == Template("toy/why", "string", description="Why?")


def test_debconf_itself_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "templates").write_text(WHOLE)
    (tmp_path / "debconf.conf").write_text(DATABASE.format(tmp_path))
    env = {"DEBCONF_SYSTEMRC": str(tmp_path / "debconf.conf")}
    done = run(["perl", "-e", LOAD, str(tmp_path / "templates")], env=env)
    assert done.status == 0, done.complaint
    theirs = [
        (
            one["name"],
            one["type"],
            one["default"] or "",
            one["description"],
            (one["extended_description"] or "").strip("\n"),
        )
        for one in json.loads(done.stdout)
    ]
    assert theirs == [(one.name, one.type, one.default, one.description, one.extended) for one in read(WHOLE)]


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        pytest.param("", (), id="none"),
        pytest.param("a, b, c", ("a", "b", "c"), id="three"),
        pytest.param("a,b", ("a", "b"), id="no blank behind the comma"),
        pytest.param(r"a\, b, c", ("a, b", "c"), id="an escaped comma"),
        pytest.param(r"a, \ b", ("a", " b"), id="an escaped blank in front is kept"),
        pytest.param("a , b ", ("a", "b"), id="blanks behind go"),
        pytest.param(r"a\b, c\\, d", (r"a\b", r"c\, d"), id="a backslash before something else"),
        pytest.param("a,, b", ("a", "", "b"), id="an empty choice"),
        pytest.param("a, b,", ("a", "b"), id="a comma at the end"),
    ],
)
def test_choices(text: str, choices: tuple[str, ...]) -> None:
    assert split_choices(text) == choices


@pytest.mark.parametrize(
    ("text", "template"),
    [
        pytest.param(
            "Template: a/b\nType: boolean\nDefault: true\nDescription: x", Template("a/b", "boolean", "true", description="x"),
            id="no newline at the end",
        ),
        pytest.param("\n\n\nTemplate: a/b\nType: text\n\n\n", Template("a/b", "text"), id="empty lines around"),
        pytest.param("# not translated\nTemplate: a/b\n# nor this\nType: text\n", Template("a/b", "text"), id="comments"),
        pytest.param("template: a/b\nTYPE: text\n", Template("a/b", "text"), id="field names in any case"),
        pytest.param("Template: a/b\nType: string\nDefault:\n", Template("a/b", "string"), id="an empty default"),
        pytest.param("Template: a/b\nType: string\nDefault: a: b\n", Template("a/b", "string", "a: b"), id="a colon in it"),
        pytest.param(
            "Template: a/b\nType: select\nChoices: ${C}\n", Template("a/b", "select", substituted=True), id="substituted"
        ),
        pytest.param("Template: a/b\nType: string\nChoices: x, y\n", Template("a/b", "string"), id="a string has none"),
        pytest.param(
            "Template: a/b\nType: text\nDescription-de.UTF-8: fremd\n mehr\nDescription: own\n more\n",
            Template("a/b", "text", description="own", extended="more"),
            id="a translation first",
        ),
        pytest.param(
            b"Template: a/b\nType: text\nDescription-de.ISO-8859-1: \xfc\nDescription: x\n",
            Template("a/b", "text", description="x"), id="a translation in Latin 1",
        ),
    ],
)  # fmt: skip
def test_one_stanza(text: str | bytes, template: Template) -> None:
    assert read(text) == (template,)


def test_a_source_package_marks_what_is_translated() -> None:
    text = (
        "# comment\nTemplate: a/b\nType: select\n#flag:translate!:1\n__Choices: one, two\n"
        "_Default: one[ Default choice]\n_Description: What?\n More.\n\n"
        "Template: a/c\nType: string\nDefault: @VERSION@\n_Description: Which?\n"
    )
    assert read(text, source=True) == (
        Template("a/b", "select", "one", ("one", "two"), description="What?", extended="More."),
        Template("a/c", "string", description="Which?"),
    )


@pytest.mark.parametrize(
    ("data", "codes", "names"),
    [
        pytest.param(b"Type: string\n", ["C102"], [], id="no name"),
        pytest.param(b"Template: two words\nType: string\n", ["C102"], [], id="a blank in the name"),
        pytest.param(b"Template: a/\x00\nType: string\n", ["C102"], [], id="a NUL in the name"),
        pytest.param(b"Template: " + b"a" * 300 + b"\nType: string\n", ["C102"], [], id="an endless name"),
        pytest.param(b"Template: a/b\n", ["C103"], [], id="no type"),
        pytest.param(b"Template: a/b\nType: colour\n", ["C103"], [], id="an unknown type"),
        pytest.param(b"Template: a/b\nType: text\n\nTemplate: a/b\nType: note\n", ["C104"], ["a/b"], id="twice"),
        pytest.param(b"Template: a/b\nType: text\nDescription: \xff\n", ["C105"], ["a/b"], id="not UTF-8"),
        pytest.param(b"Template: a/b\nnonsense\nType: text\n", ["C106"], ["a/b"], id="no field"),
        pytest.param(b"Template: a/b\nType: text\nType: note\n", ["C106"], ["a/b"], id="a field twice"),
        pytest.param(b" lost\nTemplate: a/b\nType: text\n", ["C106"], ["a/b"], id="continues nothing"),
        pytest.param(b"Template: a\n" * 2 + b"\xff\xfe\n", ["C103", "C106", "C106"], [], id="several"),
        pytest.param(b"\x1f\x8b\x08\x00", ["C106"], [], id="not text at all"),
        pytest.param(b"\n" * (LARGEST + 1), ["C101"], [], id="too large"),
        pytest.param(b"", [], [], id="empty"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, codes: list[str], names: list[str]) -> None:
    templates, findings = parse_templates(data, name="toy.templates")
    assert sorted(finding.code for finding in findings) == codes
    assert [template.name for template in templates] == names
    assert all(finding.place.file == "toy.templates" for finding in findings)


def test_places_are_lines() -> None:
    _templates, findings = parse_templates(b"\nTemplate: a/b\nType: text\nnonsense\n\n\nTemplate: a/c\n", name="t")
    assert [(finding.code, finding.place.line) for finding in findings] == [("C106", 4), ("C103", 7)]
