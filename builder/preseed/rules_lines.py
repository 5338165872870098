"""Rules about lines: what ends the load, what continuations swallow, and what only looks like a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, pairwise

from builder.findings import Severity
from builder.preseed.loader import lost_entries
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.syntax import ECHO_OPTION, Broken, Entry, Fault, Line, LineKind
from builder.preseed.untemplated import BOOT_ALIASES

_TYPES = rb"(?:string|boolean|select|multiselect|note|password|text|title|seen)"
ENTRY = re.compile(rb"\s*(?:d-i|[a-z0-9][a-z0-9+.-]+)\s+[A-Za-z0-9_.+-]+/\S+\s+" + _TYPES + rb"(?!\S)")
_ENTRY_TYPES = re.compile(_TYPES.decode() + r"(?!\S)")
_SECOND_ENTRY = re.compile(rb"\S[ \t]+(d-i[ \t]+[A-Za-z0-9_.+-]+/\S+[ \t]+" + _TYPES + rb")(?!\S)")
_PATTERN = re.compile(rb"[*?]|\[[^\]]+\]")
_INDENTED = re.compile(rb"[\n\0][ \t\v\f\r]+#")
_GLUED = re.compile(rb"[A-Za-z0-9_./:=@,+-]{2}")
_SHAPE = "write four fields: OWNER QUESTION TYPE VALUE"
# What Jinja, ERB, Cheetah and the like leave at the beginning of a line when nobody renders them.
_TEMPLATE = re.compile(r"\{[%{#]|<%|<\?|\$\{|\$[A-Za-z_]+\(|@@?[A-Za-z_]+@")
_RENDER = "this looks like a template's line: lint what the template is rendered to"
_NAME = re.compile(r"[A-Za-z0-9_.+-]+/\S+")


def _broken(subject: Subject) -> Iterator[Problem]:
    first = True
    for item in subject.file.items:
        if not isinstance(item, Broken) or item.fault is Fault.UNFINISHED:
            continue
        if first:
            lost = lost_entries(subject.file)
            behind = (
                f", {lost} entries behind it are lost" if lost > 1 else ", the entry behind it is lost" if lost else ""
            )
            then = f"the installer stops reading here{behind}"
        else:
            then = "the installer would stop here, too"
        first = False
        offset = subject.file.start(item)
        if subject.file.data.startswith((b"#", b"\xef\xbb\xbf#") if offset == 0 else b"#", offset):
            continue  # L102 and L110 say what to do
        hint = f"{_SHAPE}; where this belongs to the line above, end that one in a backslash"
        hint = _RENDER if _TEMPLATE.match(item.text.lstrip()) else hint
        yield Problem(offset, f"no entry ({item.fault.value}): {then}", hint)


def _no_entry(subject: Subject) -> Iterator[Problem]:
    for entry in subject.file.entries:
        alias = entry.question.text in BOOT_ALIASES and _ENTRY_TYPES.fullmatch(entry.type.text)  # L205 knows better
        if "/" not in entry.question.text and not alias and not entry.owner.text.startswith(("#", "\ufeff")):
            if _NAME.fullmatch(entry.type.text) and _ENTRY_TYPES.match(entry.value.text):
                message = f"a word too many before {entry.type.text}: the installer sets the question"
                hint = f"leave out {entry.owner.text} or {entry.question.text}, whichever is not the owner"
            else:
                message = "this is no entry, but the installer takes it for one and sets the question"
                hint = "where it belongs to the line above, end that one in a backslash"
                hint = _RENDER if _TEMPLATE.match(entry.owner.text) else hint
            yield Problem(subject.file.start(entry), f"{message} {entry.question.text!r}", hint)


def _indented_comment(subject: Subject) -> Iterator[Problem]:
    for item in subject.file.items if _INDENTED.search(b"\n" + subject.file.data) else ():
        offset = subject.file.start(item)
        if subject.file.data[offset : offset + 1] != b"#":
            continue
        if isinstance(item, Entry):
            message = f"this is no comment: the installer sets the question {item.question.text!r}"
        elif item.fault is Fault.UNFINISHED:
            message = "this is no comment: the backslash at its end continues it"
        else:
            message = "this is no comment: the installer stops reading here, with an error that it always shows"
        yield Problem(offset, message, "move the # to the beginning of the line")


def _inner_lines(subject: Subject, kind: LineKind) -> Iterator[tuple[Entry | Broken, Line]]:
    """Lines of a kind within items of several lines, the first line of each item left out."""
    for item in subject.file.items:
        if item.last > item.first:
            for line in subject.file.lines[item.first + 1 : item.last + 1]:
                if line.kind is kind:
                    yield item, line


def _inner_indented_comment(subject: Subject) -> Iterator[Problem]:
    for _item, line in _inner_lines(subject, LineKind.TEXT):
        if line.body.lstrip().startswith(b"#"):
            offset = line.start + len(line.body) - len(line.body.lstrip())
            yield Problem(
                offset,
                "this is no comment: it becomes part of the value",
                "move the # to the beginning of the line, or the comment above the entry",
            )


def _inner_comment(subject: Subject) -> Iterator[Problem]:
    for _line, lines in groupby(_inner_lines(subject, LineKind.COMMENT), key=lambda pair: pair[0].line):
        comments = [line for _item, line in lines]
        yield Problem(
            comments[0].start,
            f"{'a comment' if len(comments) == 1 else f'{len(comments)} comments'} within a continuation: "
            "the installer leaves that out, debconf's own reader joins it to the value",
            "move it above the entry; or does a backslash stand too many at the end of the line above?",
        )


def _inner_blank(subject: Subject) -> Iterator[Problem]:
    for number, lines in groupby(_inner_lines(subject, LineKind.BLANK), key=lambda pair: pair[0].line):
        yield Problem(
            next(lines)[1].start,
            f"a blank line does not end the entry of line {number}: what follows still belongs to it",
            "remove the blank line, or the backslash before it",
        )


def _swallowed(subject: Subject) -> Iterator[Problem]:
    for item, line in _inner_lines(subject, LineKind.TEXT):
        if ENTRY.match(line.body) and not _feeds_debconf(item):
            yield Problem(
                line.start + len(line.body) - len(line.body.lstrip()),
                f"this entry becomes part of the value of line {item.line}, which a backslash continues",
                "remove the backslash at the end of the line above",
            )


def _second_entry(subject: Subject) -> Iterator[Problem]:
    for item in subject.file.items:
        for line in subject.file.texts(item):
            later = line.raw.find(b"d-i", 3) >= 0 and not _feeds_debconf(item)
            if later and (match := _SECOND_ENTRY.search(line.body)):
                yield Problem(
                    line.start + match.start(1),
                    "a second entry on the line is part of the value of the first",
                    "give it a line of its own",
                )


def _feeds_debconf(item: Entry | Broken) -> bool:
    """Commands may well contain entries: `echo d-i ... | debconf-set-selections`."""
    return isinstance(item, Entry) and (
        item.question.text.endswith("_command") or "debconf-set-selections" in item.value.text
    )


def _backslash_and_blanks(subject: Subject) -> Iterator[Problem]:
    for line in subject.file.lines:
        body = line.body.replace(b"\r", b"")
        bare = body.rstrip()
        if line.kind is LineKind.TEXT and bare != body and bare.endswith(b"\\"):
            yield Problem(
                line.start + line.body.rindex(b"\\"),
                "blanks behind the backslash: the value ends here in a backslash, the next line is an entry of its own",
                "remove the blanks behind the backslash",
            )


def _unfinished(subject: Subject) -> Iterator[Problem]:
    for item in subject.file.items:
        if isinstance(item, Broken) and item.fault is Fault.UNFINISHED:
            line = subject.file.texts(item)[-1]
            yield Problem(
                line.start + line.body.rindex(b"\\"),
                f"the file ends within a continuation: the entry of line {item.line} is lost without a word",
                "remove the backslash",
            )


def _nul(subject: Subject) -> Iterator[Problem]:
    for line in subject.file.lines:
        if line.raw.endswith(b"\0"):
            yield Problem(
                line.start + len(line.raw) - 1,
                "a NUL byte ends the line for the installer: what follows is a line of its own",
                "remove it; where every second byte is NUL, save the file as UTF-8",
            )


def _carriage_returns(subject: Subject) -> Iterator[Problem]:
    lines = [line for line in subject.file.lines if line.raw.endswith(b"\r\n")]
    if lines:
        yield Problem(
            lines[0].start + len(lines[0].raw) - 2,
            f"{len(lines)} lines end in CR LF: the installer leaves the CR out, other readers may not",
            "save the file with the line ends of Unix",
        )


def _inner_carriage_return(subject: Subject) -> Iterator[Problem]:
    for line in subject.file.lines:
        at = line.body.rstrip(b"\r").find(b"\r")
        if at >= 0 and line.kind is LineKind.TEXT:
            yield Problem(
                line.start + at,
                "a CR within the line: the installer leaves it out and goes on, it ends no line",
                "replace it by a newline, or remove it",
            )


def _pattern_line(subject: Subject) -> Iterator[Problem]:
    for _item, line in _inner_lines(subject, LineKind.TEXT):
        body = line.body.replace(b"\r", b"")
        if body.split() == [body] and not body.endswith(b"\\") and _PATTERN.search(body):
            yield Problem(
                line.start,
                "the installer's shell takes this line for a pattern of file names, and puts those that match",
                "indent the line",
            )


def _echo_option(subject: Subject) -> Iterator[Problem]:
    for _item, line in _inner_lines(subject, LineKind.TEXT):
        if ECHO_OPTION.fullmatch(line.body.replace(b"\r", b"")):
            yield Problem(
                line.start,
                "this line is lost: the installer's reader passes it to echo, which takes it for an option",
                "indent the line",
            )


def _glued(subject: Subject) -> Iterator[Problem]:
    for item in subject.file.entries:
        for before, line in pairwise(subject.file.texts(item)):
            backslash = before.start + before.body.rindex(b"\\")
            ends = subject.file.data[backslash - 1 : backslash] + line.body[:1]
            if backslash > item.value.start and _GLUED.fullmatch(ends):
                yield Problem(
                    line.start,
                    "the two lines are joined with a blank between them, though none is written",
                    "if they are one word, write it on one line; else put a blank before the backslash",
                )


RULES = (
    Rule(
        "L101",
        Severity.ERROR,
        "A line that cannot be parsed",
        _broken,
        "The installer's reader ends at the first such line: what stands above it is set, all below is lost, and the "
        "error preseed/load_error is shown whatever the priority. Debconf's own reader goes on.",
        "Write `OWNER QUESTION TYPE VALUE`, as in `d-i time/zone string Etc/UTC`. Where the line belongs to the one "
        "above, end that one in a backslash.",
        failing=(
            Failing(b"d-i time/zone string Etc/UTC\nbroken\n", 2),
            Failing(b"d-i time/zone\n", 1),
            Failing(b"d-i time/zone string Etc/UTC\n$SNIPPET('proxy')\n", 2),
            Failing(b"d-i a/b string x \\ \n  y\n", 2),
        ),
        passing=(b"d-i mirror/http/proxy string\n", b"# broken\n"),
    ),
    Rule(
        "L102",
        Severity.ERROR,
        "A comment that does not begin in the first column",
        _indented_comment,
        "The installer's reader knows comments only in the first column. An indented one of three words or more sets a "
        "question named by its second word; a shorter one ends the load. Debconf's own reader ignores both.",
        "Move the `#` to the beginning of the line.",
        failing=(
            Failing(b"  # the mirror we use\nd-i mirror/country string manual\n", 1),
            Failing(b"d-i a/b string x\n\t# clock\n", 2),
        ),
        passing=(b"# the mirror we use\n#\n",),
    ),
    Rule(
        "L103",
        Severity.ERROR,
        "An indented comment within a continued value",
        _inner_indented_comment,
        "Only a `#` in the first column makes a comment. Within a continuation an indented one becomes part of the "
        "value; in a command it hides all that follows from the shell, for the lines are joined.",
        "Move the comment above the entry.",
        failing=(Failing(b"d-i preseed/late_command string one; \\\n  # and then \\\n  two\n", 2),),
        passing=(b"# and then\nd-i preseed/late_command string one; \\\n  two # end\n",),
        sign=b"\\",
    ),
    Rule(
        "L104",
        Severity.NOTE,
        "A comment between the lines of a continued value",
        _inner_comment,
        "The installer's reader leaves it out. Debconf's own reader, which `debconf-set-selections --checkonly` is, "
        "joins it to the value and takes what follows for an entry.",
        "Move the comment above the entry.",
        failing=(Failing(b"d-i pkgsel/include string one \\\n# for the clock\n  chrony\n", 2),),
        passing=(b"# for the clock\nd-i pkgsel/include string one \\\n  chrony\n",),
        sign=b"\\",
    ),
    Rule(
        "L105",
        Severity.NOTE,
        "A blank line within a continued value",
        _inner_blank,
        "The installer's reader drops blank lines before it joins, so the next line still belongs to the value. "
        "L106 and L109 tell where that does harm.",
        "Remove the blank line, or the backslash before it.",
        failing=(Failing(b"d-i pkgsel/include string one \\\n\n  two\n", 2),),
        passing=(b"d-i pkgsel/include string one \\\n  two\n\n",),
        sign=b"\\",
    ),
    Rule(
        "L106",
        Severity.ERROR,
        "An entry that a backslash makes part of the one above",
        _swallowed,
        "The backslash at the end of the last line of a value continues it with the next entry, which is not set.",
        "Remove the backslash at the end of the line above.",
        failing=(Failing(b"d-i pkgsel/include string one \\\nd-i pkgsel/upgrade select none\n", 2),),
        passing=(
            b"d-i pkgsel/include string one \\\n  two\nd-i pkgsel/upgrade select none\n",
            b"d-i preseed/late_command string echo \\\n  d-i a/b string x | in-target debconf-set-selections\n",
        ),
        sign=b"\\",
    ),
    Rule(
        "L107",
        Severity.ERROR,
        "Two entries on one line",
        _second_entry,
        "A value goes to the end of the line; nothing ends it earlier.",
        "Give each entry a line of its own.",
        failing=(Failing(b"d-i a/b string x d-i a/c string y\n", 1),),
        passing=(b"d-i preseed/early_command string echo d-i a/c string y | debconf-set-selections\n",),
    ),
    Rule(
        "L108",
        Severity.ERROR,
        "Blanks behind a backslash at the end of a line",
        _backslash_and_blanks,
        "Only a backslash that is the last sign of the line continues it. With blanks behind, the value ends in a "
        "backslash, and the next line is read as an entry: it sets some question, or ends the load.",
        "Remove the blanks behind the backslash.",
        failing=(Failing(b"d-i pkgsel/include string one \\ \n  two three four\n", 1),),
        passing=(b"d-i pkgsel/include string one \\\n  two three four\n",),
        sign=b"\\",
    ),
    Rule(
        "L109",
        Severity.ERROR,
        "A backslash at the end of the file",
        _unfinished,
        "The installer's reader waits for the next line and forgets the entry when none comes. Debconf's own keeps it.",
        "Remove the backslash.",
        failing=(
            Failing(b"d-i a/b string x\nd-i a/c string y \\\n", 2),
            Failing(b"d-i a/c string y \\\n# the end\n", 1),
        ),
        passing=(b"d-i a/c string y \\\n  z",),
        sign=b"\\",
    ),
    Rule(
        "L111",
        Severity.ERROR,
        "A NUL byte",
        _nul,
        "The installer's grep ends a line at a NUL: what follows is read as a line of its own. A file in UTF-16, as "
        "some editors save it, has one behind every letter.",
        "Remove it, or save the file as UTF-8.",
        failing=(Failing(b"d-i a/b string x\n# one\0\n", 2),),
        passing=(b"d-i a/b string \\0\n",),
        sign=b"\0",
    ),
    Rule(
        "L112",
        Severity.NOTE,
        "Line ends of DOS",
        _carriage_returns,
        "The installer's reader removes every CR. Scripts that read the file otherwise, and people's tools, may not.",
        "Save the file with the line ends of Unix: `sed -i 's/\\r$//' FILE`.",
        failing=(Failing(b"# c\nd-i a/b string x\r\nd-i a/c string y\r\n", 2),),
        passing=(b"d-i a/b string x\n",),
        sign=b"\r",
    ),
    Rule(
        "L113",
        Severity.WARNING,
        "A CR within a line",
        _inner_carriage_return,
        "The installer's reader removes every CR, so it separates nothing and ends no line.",
        "Replace it by a newline, or remove it.",
        failing=(Failing(b"d-i a/b string x\rd-i a/c string y\n", 1),),
        passing=(b"d-i a/b string x\r\n",),
        sign=b"\r",
    ),
    Rule(
        "L124",
        Severity.ERROR,
        "A continuation of one word with `*`, `?` or `[ ]`, not indented",
        _pattern_line,
        "The installer's shell splits the file into lines without quoting them, so a line that is a pattern of file "
        "names is replaced by those that match in the installer, each a line of its own: `/*` becomes `/bin` and then "
        "a line that cannot be parsed. Measured with both loaders.",
        "Indent the line: no file's name there begins with a blank.",
        failing=(Failing(b"d-i preseed/early_command string rm \\\n/tmp/*\n", 2),),
        passing=(b"d-i preseed/early_command string rm \\\n  /tmp/*\n",),
        sign=b"\\",
    ),
    Rule(
        "L126",
        Severity.ERROR,
        "A continuation that is only `-n`, `-e` or `-E`, not indented",
        _echo_option,
        "The installer's reader passes each line to echo, which takes such a line for its option and prints nothing.",
        "Indent the line, or join it to the one above.",
        failing=(Failing(b"d-i preseed/early_command string echo x | tail \\\n-n\n", 2),),
        passing=(b"d-i preseed/early_command string echo x | tail \\\n  -n\n",),
        sign=b"\\",
    ),
    Rule(
        "L127",
        Severity.NOTE,
        "A continuation in the middle of a word",
        _glued,
        "The installer's reader joins lines with a blank, debconf's own without. `one\\` and `two` become `one two`.",
        "Write the word on one line; where two words are meant, put a blank before the backslash.",
        failing=(Failing(b"d-i preseed/early_command string wget http://mirror.example.org/\\\nfile\n", 2),),
        passing=(b"d-i pkgsel/include string one \\\n  two\n", b"d-i a/b string\\\none\n"),
        sign=b"\\",
    ),
    Rule(
        "L129",
        Severity.ERROR,
        "A line that is taken for an entry, but names no question",
        _no_entry,
        "Names of questions have a `/`. A line of three words or more without one is most often a part of the command "
        "above that no backslash joins: the command loses it, and a question named by its second word is set. Or there "
        "are two owners, and the second is taken for the question.",
        "End the line above in a backslash, or leave one owner.",
        failing=(
            Failing(b"d-i preseed/late_command string one;\n  mount -n /target\n", 2),
            Failing(b"d-i\tdebconf debconf/frontend\tselect\tnoninteractive\n", 1),
            Failing(b"{% if proxy %}\nd-i mirror/http/proxy string http://proxy.example.org:3128\n", 1),
        ),
        passing=(b"d-i preseed/late_command string one; \\\n  mount -n /target\n",),
    ),
)
