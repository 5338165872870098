"""debconf templates, the text in which packages declare their questions: bytes in, templates and findings out.

Read as cdebconf does (src/template.c and strutl.c of 0.280), which loads them in the installer, and as debconf's
Debconf::Template does in the installed system; both agree on everything that Debian's own templates contain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from builder.findings import Finding, Findings, Place, Severity

# debconf-devel(7); title, terminal and entropy are cdebconf's.
TYPES = frozenset(
    ["string", "boolean", "select", "multiselect", "password", "note", "text", "title", "error", "terminal", "entropy"]
)  # fmt: skip
CHOOSING = frozenset({"select", "multiselect"})
LARGEST = 16 << 20  # bytes of one file; keyboard-configuration's, the largest, has 1.4 MB
LONGEST_NAME = 256
MOST_LINES = 100  # odd lines that are named; what has more is no templates file
# Debconf::Template::load; cdebconf wants one blank behind the colon, which every template has.
_FIELD = re.compile(rb"([-_@.A-Za-z0-9]*):\s?(.*)", re.DOTALL)
_NAME = re.compile(r"[!-~]+", re.ASCII)
_WANTED = frozenset({b"template", b"type", b"default", b"choices", b"description"})
_COMMA = re.compile(r"(?<!\\),")
_ESCAPED = re.compile(r"\\([, ])")
_LATER = re.compile(r"@[A-Z_]+@")  # filled in while the package is built


@dataclass(frozen=True, slots=True)
class Template:
    """One question as declared. `choices` are the C choices that stand in the text; `substituted`: more, or others,
    come at run time (`${...}`). `extended` has its paragraphs separated by empty lines.
    """

    name: str
    type: str
    default: str = ""
    choices: tuple[str, ...] = ()
    substituted: bool = False
    description: str = ""
    extended: str = ""


def parse_templates(data: bytes, *, name: str, source: bool = False) -> tuple[tuple[Template, ...], Findings]:
    """Every template of a file called `name`, in its order, and what is wrong with the file; never raises.

    `source`: as in a source package before po-debconf, with `_Description:` and comments.
    """
    findings = Findings()
    if len(data) > LARGEST:
        message = f"the templates have {len(data)} bytes, more than the {LARGEST} that are read"
        findings.add(_finding("C101", message, Place(name)))
        return (), findings
    found: dict[str, Template] = {}
    for stanza in _stanzas(data, name, findings, source=source):
        template = stanza.template(findings, source=source)
        if template is None:
            continue
        if template.name in found:
            message = f"{template.name} is declared twice; the last one counts, as in debconf"
            findings.add(_finding("C104", message, stanza.place, severity=Severity.WARNING))
        found[template.name] = template
    return tuple(found.values()), findings


def split_choices(text: str) -> tuple[str, ...]:
    r"""The choices of a `Choices:` value: separated by commas, where `\,` and `\ ` stand for themselves.

    As strchoicesplit of cdebconf's strutl.c: blanks in front go, those behind too, even escaped ones. A backslash
    in front of a comma always escapes it. Perl's debconf asks for a blank behind the comma.
    """
    parts = _COMMA.split(text)
    if parts and not parts[-1]:
        parts.pop()  # nothing follows the last comma
    return tuple(_ESCAPED.sub(r"\1", part.lstrip()).rstrip(" ") for part in parts)


@dataclass(slots=True)
class _Stanza:
    """The wanted fields of one stanza as they stand, and the lines below its description."""

    place: Place
    fields: dict[bytes, bytes]
    extended: list[bytes]

    def template(self, findings: Findings, *, source: bool) -> Template | None:
        """The template, or None with the reason among the findings."""
        text = {field.decode(): self._text(value, findings) for field, value in self.fields.items()}
        if source:
            text = {field: _without_remark(_LATER.sub("", value)) for field, value in text.items()}
        name, kind = text.get("template", ""), text.get("type", "")
        if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            findings.add(
                _finding("C102", f"a stanza whose Template: is no question's name ({name[:60]!r})", self.place)
            )
            return None
        if kind not in TYPES:
            said = f"has the type {kind[:60]!r}, which debconf does not know" if kind else "has no type"
            findings.add(_finding("C103", f"{name} {said}", self.place))
            return None
        raw = text.get("choices-c", text.get("choices", "")) if kind in CHOOSING else ""
        choices = split_choices(raw)
        return Template(
            name,
            kind,
            text.get("default-c", text.get("default", "")),
            tuple(choice for choice in choices if "${" not in choice),
            "${" in raw,
            text.get("description-c", text.get("description", "")),
            _joined(self._text(line, findings) for line in self.extended),
        )

    def _text(self, value: bytes, findings: Findings) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError:
            findings.add(_finding("C105", "an English text is not UTF-8", self.place, severity=Severity.WARNING))
            return value.decode(errors="replace")


def _without_remark(value: str) -> str:
    """po-debconf(7): `[ text for translators]` at the end of a value is not part of it."""
    at = value.rfind("[ ") if value.endswith("]") else -1
    return value[:at].rstrip() if at >= 0 else value


def _stanzas(data: bytes, name: str, findings: Findings, *, source: bool) -> Iterator[_Stanza]:
    """One pass over the lines. Only fields of the C locale are looked into: translations are most of a file."""
    stanza: _Stanza | None = None
    here: bytes | None = None  # the field that continuation lines belong to
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line or line.startswith(b"#"):  # cdebconf passes over any line that it does not know
            if stanza and not line:
                yield stanza
                stanza, here = None, None
        elif line[:1] in b" \t":
            if stanza and here in {b"description", b"description-c"}:
                stanza.extended.append(line)
            elif here is None:
                _add_line(findings, "continues nothing", line, Place(name, number))
        elif match := _FIELD.match(line):
            stanza = stanza or _Stanza(Place(name, number), {}, [])
            here = _field(match[1], source=source)
            if here in stanza.fields:
                _add_line(findings, "gives a field twice", line, Place(name, number))
            elif here.removesuffix(b"-c") in _WANTED:
                stanza.fields[here] = match[2].rstrip()
        else:
            _add_line(findings, "is neither a field nor a continuation", line, Place(name, number))
    if stanza:
        yield stanza


def _field(raw: bytes, *, source: bool) -> bytes:
    low = raw.lower()
    return low.lstrip(b"_") if source else low


def _add_line(findings: Findings, why: str, line: bytes, place: Place) -> None:
    if len(findings) >= MOST_LINES:
        return
    shown = line[:60].decode(errors="replace")
    findings.add(_finding("C106", f"the line {shown!r} {why}", place, severity=Severity.WARNING))


def _joined(lines: Iterator[str]) -> str:
    """An extended description: lines become paragraphs, ` .` parts these, deeper indented lines stay lines."""
    parts: list[str] = []
    ended = True  # nothing need separate the next word from what is there
    for line in lines:
        text = line[1:].rstrip()
        if text == ".":
            parts.append("\n\n")
            ended = True
        elif text[:1] in {" ", "\t"}:
            parts.append(("" if ended else "\n") + text + "\n")
            ended = True
        else:
            parts.append(("" if ended else " ") + text)
            ended = not text and ended
    return "".join(parts).strip("\n")


def _finding(code: str, message: str, place: Place, *, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, message, "tell whoever maintains that package", place, severity)
