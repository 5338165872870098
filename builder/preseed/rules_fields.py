"""Rules about fields: types, empty values, `seen`, and signs that a reader does not see but a parser does."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator

from builder.findings import Severity
from builder.preseed.given import Given
from builder.preseed.loader import BLANKS, flag_of
from builder.preseed.rule import INSTALLER, Failing, Problem, Rule, Subject
from builder.preseed.syntax import Broken, Entry
from builder.preseed.templates import TYPES as TEMPLATE_TYPES

# What debconf-set-selections of debconf 1.5.82 and 1.5.91 knows (@knowntypes).
TYPES = ("string", "boolean", "select", "multiselect", "password", "note", "text", "title")
_NICKNAMES = {"bool": "boolean", "str": "string", "int": "string", "pass": "password", "choice": "select"}
# An empty one of these is no answer; an empty string or multiselect is, as for mirror/http/proxy.
_NEVER_EMPTY = frozenset({"boolean", "select", "password"})
_BOM = b"\xef\xbb\xbf"
_PLAIN = re.compile(rb"[\t\n\r\0\x20-\x7e]*")


def _byte_order_mark(subject: Subject) -> Iterator[Problem]:
    if subject.file.data.startswith(_BOM):
        first = subject.file.data[3:4]
        then = "the line is no comment for it and ends the load" if first == b"#" else "it is part of the first owner"
        yield Problem(0, f"a byte order mark, which the installer does not know: {then}", "save the file without it")


def _signs(subject: Subject) -> Iterator[tuple[Entry | Broken, int, str]]:
    """Signs that are no ASCII text: item, byte, sign. A byte order mark at the file's start is left out."""
    if _PLAIN.fullmatch(subject.file.data):
        return
    for item in subject.file.items:
        for line in subject.file.texts(item):
            if _PLAIN.fullmatch(line.raw):
                continue
            offset = line.start
            for sign in line.raw.decode("utf-8", "surrogateescape"):
                if (
                    not (sign.isascii() and sign.isprintable())
                    and sign not in "\t\n\r\0"
                    and (offset or sign != "\ufeff")
                ):
                    yield item, offset, sign
                offset += len(sign.encode("utf-8", "surrogateescape"))


def _is_unseen(sign: str) -> bool:
    """Blanks that are none to the parser, signs without a shape, controls; not bytes that are no UTF-8."""
    return not sign.isprintable() and not "\udc80" <= sign <= "\udcff"


def _named(sign: str) -> str:
    return f"U+{ord(sign):04X} {unicodedata.name(sign, 'control')}"


def _unseen_between(subject: Subject) -> Iterator[Problem]:
    last = None
    for item, offset, sign in _signs(subject):
        between = isinstance(item, Broken) or offset < item.value.start
        if item is not last and between and _is_unseen(sign):
            last = item
            yield Problem(
                offset,
                f"{_named(sign)} among the fields: to the parser it is no blank but part of a word",
                "write a plain blank, or remove it",
            )


def _unseen_in_value(subject: Subject) -> Iterator[Problem]:
    for item, offset, sign in _signs(subject):
        if _is_unseen(sign) and isinstance(item, Entry) and offset >= item.value.start:
            yield Problem(
                offset, f"{_named(sign)} in the value, which no reader sees", "write what is meant, or remove it"
            )


def _not_utf8(subject: Subject) -> Iterator[Problem]:
    last = None
    for item, offset, sign in _signs(subject):
        if "\udc80" <= sign <= "\udcff" and item is not last:
            last = item
            yield Problem(
                offset,
                f"the byte {ord(sign) - 0xDC00:#04x} is no UTF-8: it is passed on as it is and shown as something else",
                "save the file as UTF-8",
            )


def _trailing_blanks(subject: Subject) -> Iterator[Problem]:
    for entry in subject.passed_on:
        kept = entry.value.text.rstrip(BLANKS)
        if kept and kept != entry.value.text:
            yield Problem(
                entry.value.end - len(entry.value.text) + len(kept),
                "blanks at the end: the installer drops them, the installed system's debconf keeps them in the value",
                "remove them",
            )


def _leading_blanks(subject: Subject) -> Iterator[Problem]:
    for entry in subject.passed_on:
        gap = subject.file.data[entry.type.end : entry.value.start].replace(b"\r", b"")
        if len(gap) > 1 and not gap.strip(b" \t") and entry.type.text != "seen":
            yield Problem(
                entry.type.end,
                f"{len(gap)} blanks before the value: the installed system's debconf keeps all but the first in it",
                "leave one blank",
            )


def _is_type(entry: Entry) -> bool:
    return entry.type.text in TYPES or entry.type.text == "seen"


def near_type(word: str) -> str:
    """The type that a misspelt word stands for, or nothing."""
    small = word.lower().replace("-", "")
    if small in TYPES:
        return small
    near = difflib.get_close_matches(small[:20], TYPES, n=1, cutoff=0.8)
    return _NICKNAMES.get(small) or (near[0] if near else "")


def _lacks_type(entry: Entry) -> bool:
    bare = not entry.value.text.strip(BLANKS) and entry.type.text not in TEMPLATE_TYPES
    return bare and near_type(entry.type.text) == ""


def _unknown_types(entries: Iterable[Entry], then: str) -> Iterator[Problem]:
    for entry in entries:
        if not _is_type(entry) and not _lacks_type(entry):
            near = near_type(entry.type.text)
            hint = f"did you mean {near!r}?" if near else f"write one of {', '.join(TYPES)} before the value"
            yield Problem(entry.type.start, f"{entry.type.text!r} is no type: {then}", hint)


def _package_type(subject: Subject) -> Iterator[Problem]:
    return _unknown_types(subject.passed_on, "the installed system's debconf skips the line")


def _installer_type(subject: Subject) -> Iterator[Problem]:
    own = (entry for entry in subject.meant if entry.owner.text == INSTALLER)
    return _unknown_types(own, "the installer does not look at it, and takes what follows for the value")


def _missing_type(subject: Subject) -> Iterator[Problem]:
    catalogue = subject.given.catalogue
    for entry in subject.meant:
        if not _is_type(entry) and _lacks_type(entry):
            question = catalogue.find(entry.question.text) if catalogue else None
            word = entry.type.text
            kind = question.type if question else "boolean" if word in {"true", "false", "yes", "no"} else "string"
            yield Problem(
                entry.type.start,
                f"{word!r} stands where the type is due: {entry.question.text} is set to nothing",
                f"write the type before it, as in: {kind} {word}",
            )


def _missing_value(subject: Subject) -> Iterator[Problem]:
    for entry in subject.meant:
        if entry.type.text in _NEVER_EMPTY and not entry.value.text.strip(BLANKS):
            yield Problem(
                entry.type.start,
                f"a {entry.type.text} without a value: {entry.question.text} is set to nothing and counts as answered",
                "write the value, or remove the line",
            )


def _seen_without_flag(subject: Subject) -> Iterator[Problem]:
    for entry in subject.meant:
        value = entry.value.text.strip(BLANKS)
        if entry.type.text == "seen" and value not in {"true", "false"}:
            then = "taken for false" if flag_of(value) is False else "ignored"
            yield Problem(entry.type.start, f"`seen` with {value!r} is {then}", "write seen true or seen false")


def _seen_before_package(subject: Subject) -> Iterator[Problem]:
    known: set[str] = set()
    for entry in subject.passed_on:
        if entry.type.text != "seen":
            known.add(entry.question.text)
        elif entry.question.text not in known:
            yield Problem(
                entry.question.start,
                f"the installed system's debconf may not know {entry.question.text} yet, and the installer then stops "
                "at preseed/load_error after the base system",
                "set the question above this line, with the same owner",
            )


def _sets_nothing(subject: Subject) -> Iterator[Problem]:
    if not subject.meant:
        message = "no line of this file sets a question of the installer"
        yield Problem(0, message, "is it the file that was meant? a preseed has lines as: d-i time/zone string Etc/UTC")


def _newline_sign(subject: Subject) -> Iterator[Problem]:
    for entry in subject.meant if subject.given.loading == "initrd" else ():
        for line in subject.file.texts(entry):
            at = line.body.find(b"\\n", max(entry.value.start - line.start, 0))
            if at >= 0:
                yield Problem(
                    line.start + at,
                    "a backslash and n become a newline once the installer's database is read again, and end the value",
                    "put the text in a file, or use \\012 where printf reads it",
                )
                break


RULES = (
    Rule(
        "L110",
        Severity.ERROR,
        "A byte order mark at the beginning of the file",
        _byte_order_mark,
        "The installer's reader takes it for text. Before a comment it ends the load at the first line; before an "
        "entry it becomes part of the owner, so that the line is passed on to the installed system, too.",
        "Save the file as UTF-8 without BOM: `sed -i '1s/^\\xEF\\xBB\\xBF//' FILE`.",
        failing=(Failing(_BOM + b"#_preseed_V1\n", 1), Failing(_BOM + b"d-i a/b string x\n", 1)),
        passing=(b"#_preseed_V1\n",),
    ),
    Rule(
        "L114",
        Severity.ERROR,
        "A sign that no reader sees among the fields",
        _unseen_between,
        "Only blank, tab, vertical tab and form feed separate fields. A no-break space, as word processors and web "
        "pages give it, glues two fields together; a zero-width one makes another question of a name.",
        "Write a plain blank, or remove the sign.",
        failing=(
            Failing("d-i a/b string\N{NO-BREAK SPACE}x\n".encode(), 1),
            Failing("d-i a/\N{ZERO WIDTH SPACE}b string x\n".encode(), 1),
        ),
        passing=(b"d-i\ta/b string x\n", "d-i a/b string \N{LATIN SMALL LETTER E WITH DIAERESIS}\n".encode()),
    ),
    Rule(
        "L115",
        Severity.WARNING,
        "A sign that no reader sees in a value",
        _unseen_in_value,
        "It is passed on to whatever uses the value: a shell takes a no-break space for part of a word.",
        "Write what is meant, or remove the sign.",
        failing=(Failing("d-i preseed/late_command string rm\N{NO-BREAK SPACE}x\n".encode(), 1),),
        passing=(b"d-i a/b string x\ty\n",),
    ),
    Rule(
        "L116",
        Severity.WARNING,
        "Bytes that are no UTF-8",
        _not_utf8,
        "Both readers pass them on as they are. The installed system and its files are in UTF-8.",
        "Save the file as UTF-8: `iconv -f latin1 -t utf8`.",
        failing=(Failing(b"d-i passwd/user-fullname string Zo\xeb\n", 1),),
        passing=("d-i passwd/user-fullname string Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}\n".encode(),),
    ),
    Rule(
        "L117",
        Severity.WARNING,
        "Blanks at the end of a package's answer",
        _trailing_blanks,
        "Lines whose owner is not d-i are given to the installed system's debconf, too, which keeps the blanks: "
        "`true ` is not `true`, and no choice ends in a blank.",
        "Remove them.",
        failing=(Failing(b"tasksel tasksel/first multiselect standard \n", 1),),
        passing=(b"tasksel tasksel/first multiselect standard\n", b"d-i mirror/country string manual  \n"),
    ),
    Rule(
        "L118",
        Severity.WARNING,
        "Several blanks before a package's answer",
        _leading_blanks,
        "Lines whose owner is not d-i are given to the installed system's debconf, too, which takes one blank for the "
        "separator and the others for the value's beginning.",
        "Leave one blank between type and value.",
        failing=(Failing(b"popularity-contest popularity-contest/participate boolean  false\n", 1),),
        passing=(
            b"popularity-contest  popularity-contest/participate\tboolean\tfalse\n",
            b"d-i  a/b  string  x\n",
            b"tasksel tasksel/first multiselect \\\n  standard\n",
        ),
    ),
    Rule(
        "L119",
        Severity.ERROR,
        "An unknown type in a package's line",
        _package_type,
        "The installed system's debconf skips the line with a warning and exit status 0, so the package never gets "
        "the answer. The installer itself ignores types.",
        "Write the type that the package's template has.",
        failing=(Failing(b"tasksel tasksel/first Multiselect standard\n", 1),),
        passing=(b"tasksel tasksel/first multiselect standard\n",),
    ),
    Rule(
        "L120",
        Severity.WARNING,
        "An unknown type in a line of the installer's",
        _installer_type,
        "The installer ignores types, so a misspelt one does no harm; but where the type was left out, the first "
        "word of the value is taken for it and lost.",
        "Write the type that the question's template has.",
        failing=(
            Failing(b"d-i netcfg/enable bool true\n", 1),
            Failing(b"d-i passwd/user-fullname Debian User\n", 1),
        ),
        passing=(b"d-i netcfg/enable boolean true\n",),
    ),
    Rule(
        "L121",
        Severity.ERROR,
        "A line without a type",
        _missing_type,
        "The value is taken for the type, and the question is set to nothing and counts as answered.",
        "Write the type before the value.",
        failing=(Failing(b"d-i mirror/country manual\n", 1), Failing(b"d-i netcfg/enable true\n", 1)),
        passing=(b"d-i mirror/country string manual\n", b"d-i mirror/http/proxy string\n"),
    ),
    Rule(
        "L122",
        Severity.WARNING,
        "A boolean, select or password without a value",
        _missing_value,
        "The question is set to nothing and counts as answered. Scripts compare booleans with `true`, so nothing is "
        "false; a select of nothing is no choice.",
        "Write the value, or remove the line. An empty string or multiselect is an answer.",
        failing=(Failing(b"d-i netcfg/enable boolean\n", 1),),
        passing=(b"d-i mirror/http/proxy string \n", b"d-i apt-setup/services-select multiselect\n"),
    ),
    Rule(
        "L123",
        Severity.WARNING,
        "`seen` without true or false",
        _seen_without_flag,
        "Any one word but `true` means false; none or several are refused, and the line is ignored without a word.",
        "Write `seen true` or `seen false`.",
        failing=(Failing(b"d-i a/b string x\nd-i a/b seen\n", 2), Failing(b"d-i a/b seen yes\n", 1)),
        passing=(b"d-i a/b string x\nd-i a/b seen false\n",),
    ),
    Rule(
        "L125",
        Severity.WARNING,
        "A backslash and n in a value",
        _newline_sign,
        "cdebconf writes values to disk as they are and reads `\\n` back as a newline. A preseed in the initrd "
        "is loaded by a debconf of its own, so the next one reads the value only up to there, takes the rest for the "
        "answer to its next command, and the script that asked ends. Measured with cdebconf of both suites. Loaded "
        "from a medium or over the network, by a script under the debconf that stays, the value stays whole; so this "
        "is found only with `--loaded initrd`.",
        "Put the text in a file and use that, or write `\\012` where printf reads it.",
        failing=(Failing(b"d-i preseed/late_command string printf 'a\\nb' >/target/etc/x\n", 1),),
        passing=(b"d-i preseed/late_command string printf 'a\\012b' >/target/etc/x\n",),
        given=Given(loading="initrd"),
        sign=b"\\n",
    ),
    Rule(
        "L128",
        Severity.WARNING,
        "A package's `seen` line before its question",
        _seen_before_package,
        "Debconf's own reader fails on a `seen` line for a question that it does not know. The installer then shows "
        "preseed/load_error after the base system is unpacked.",
        "Set the question above, with the same owner.",
        failing=(Failing(b"pkg pkg/q seen false\n", 1),),
        passing=(b"pkg pkg/q string x\npkg pkg/q seen false\n", b"d-i a/b seen false\n"),
    ),
    Rule(
        "L130",
        Severity.WARNING,
        "A file that sets nothing",
        _sets_nothing,
        "It is empty, holds nothing but comments, or is no preseed: a page that a server sent instead, a cloud-init or "
        "Kickstart file. The installer asks everything.",
        "Lint the file that the installer is given.",
        failing=(
            Failing(b"", 1),
            Failing(b"# d-i time/zone string Etc/UTC\n", 1),
            Failing(b"<html><body>404</body></html>\n", 1),
        ),
        passing=(b"d-i time/zone string Etc/UTC\n",),
    ),
)
