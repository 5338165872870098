"""The linter's rules as a page of documentation: docs/rules.md."""

from __future__ import annotations

from collections.abc import Iterable

from builder.preseed.rule import Rule

_HEAD = """\
# The linter's rules

Written from the tables in builder/preseed/; `make golden` writes it anew. An error keeps an installation from ending
unattended or right, a warning may, a note is worth knowing.

To silence a rule, write a comment on a line of its own: `# domu: ignore L122` above an entry, or
`# domu: ignore-file L122` anywhere for the whole file. Comments that silence nothing are reported.

In the examples `⟨...⟩` stands for a sign that is not seen, and `␣` for a blank at the end of a line.
"""


def rules_page(rules: Iterable[Rule]) -> str:
    """The page, in Markdown; rules in the order of the table."""
    return "\n".join([_HEAD, *map(_section, rules)])


def _section(rule: Rule) -> str:
    parts = [f"## {rule.code}: {rule.title} ({rule.severity.word})", "", rule.why, "", rule.mend, ""]
    for failing in rule.failing:
        parts += [f"Found, in line {failing.line}:", "", "```text", *_shown(failing.data), "```", ""]
    for passing in rule.passing:
        parts += ["Not found:", "", "```text", *_shown(passing), "```", ""]
    return "\n".join(parts)


def _shown(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    return [_line(line) for line in text.removesuffix("\n").split("\n")]


def _line(text: str) -> str:
    bare = text.rstrip(" ")
    signs = (sign if sign.isprintable() else _named(sign) for sign in bare)
    return "".join(signs) + "␣" * (len(text) - len(bare))


def _named(sign: str) -> str:
    names = {"\t": "TAB", "\r": "CR", "\0": "NUL"}
    return (
        f"⟨{names.get(sign, f'U+{ord(sign):04X}')}⟩"
        if not "\udc80" <= sign <= "\udcff"
        else f"⟨{ord(sign) - 0xDC00:02X}⟩"
    )
