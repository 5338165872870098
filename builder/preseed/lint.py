"""The linter: the tables of rules, and what a run of them over one file finds.

To add a rule: write a function from `Subject` to `Problem`s, give it a row in its module's table with why, mend,
failing and passing examples, and a row in docs/findings.md; a new module's table is added to RULES below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from builder.findings import Finding, Findings, Place, Severity, did_you_mean
from builder.preseed import (
    rules_accounts,
    rules_answers,
    rules_commands,
    rules_conflicts,
    rules_disks,
    rules_fields,
    rules_lines,
    rules_questions,
    rules_recipes,
    rules_values,
)
from builder.preseed.given import NOTHING, Given
from builder.preseed.rule import Failing, Problem, Rule, Subject
from builder.preseed.suppress import Silence, find_suppressions
from builder.preseed.syntax import PreseedFile

MOST = 100  # findings of one code in one file; more help nobody, and looking on could take long


def _by_the_linter(_subject: Subject) -> Iterator[Problem]:
    """What the linter finds about its own comments needs no function."""
    yield from ()


COMMENTS = (
    Rule(
        "L190",
        Severity.WARNING,
        "A comment that silences nothing",
        _by_the_linter,
        "`# domu: ignore CODE` silences findings of the next entry, `# domu: ignore-file CODE` those of the file. When "
        "there is none, the fault was mended or the comment stands in the wrong place, and would hide the next one.",
        "Remove the code, or the comment.",
        failing=(Failing(b"# domu: ignore L122\nd-i a/b boolean true\n", 1),),
        passing=(b"# domu: ignore L122\nd-i a/b boolean\n", b"# domu: ignore-file L122\n\nd-i a/b boolean\n"),
    ),
    Rule(
        "L191",
        Severity.WARNING,
        "A comment to the linter that cannot be read",
        _by_the_linter,
        "A comment that begins with `domu:` silences nothing unless it has this form and names codes that exist.",
        "Write `# domu: ignore L122` or `# domu: ignore-file L122`; several codes are separated by blanks, and a "
        "reason may follow behind a colon.",
        failing=(
            Failing(b"# domu: ignore\nd-i a/b string x\n", 1),
            Failing(b"# domu: ignore L999\nd-i a/b string x\n", 1),
        ),
        passing=(b"# domu: ignore L122: nobody asks it\nd-i a/b boolean\n",),
    ),
)
MODULES = (
    rules_lines,
    rules_fields,
    rules_questions,
    rules_values,
    rules_answers,
    rules_conflicts,
    rules_accounts,
    rules_disks,
    rules_recipes,
    rules_commands,
)
RULES: tuple[Rule, ...] = tuple(
    sorted((*COMMENTS, *(rule for module in MODULES for rule in module.RULES)), key=lambda rule: rule.code)
)
COMPLETENESS = frozenset({"Q101", "Q102", "Q103"})  # codes of builder/preseed/completeness.py


def lint(
    file: PreseedFile,
    name: str = "",
    *,
    given: Given = NOTHING,
    rules: Sequence[Rule] = RULES,
    ignored: frozenset[str] = frozenset(),
    pending: Iterable[Finding] | None = None,
) -> Findings:
    """What the rules find in a file, without what its comments silence and without the `ignored` codes.

    The one entry point: `lint(parse_preseed(data), "web1.cfg", given=Given(catalogue=..., loading="initrd"))`. What
    is not given is not judged. Takes time in proportion to the file's size; of each code the first MOST findings
    are given. `pending`: what completeness finds about the file, if it was asked; comments silence that as well.
    """
    subject = Subject(file, given)
    suppressions, unread = find_suppressions(file)
    silence = Silence(suppressions)
    findings = Findings()
    cut: set[str] = set()
    for rule in rules:
        if rule.code in ignored or (rule.sign and rule.sign not in file.data):
            continue
        problems = rule.check(subject)
        if (first := next(problems, None)) is None:
            continue  # as for most rules in most files
        found = list(_run(rule, chain((first,), problems), file, name, silence))
        if len(found) > MOST:
            cut.add(rule.code)
            found[-1] = _more(found[-1])
        findings.extend(found)
    for finding in pending or ():
        if finding.code not in ignored and not silence.covers(finding.code, finding.place.line):
            findings.add(finding)
    ran = frozenset(rule.code for rule in rules) | (frozenset() if pending is None else COMPLETENESS)
    ran -= ignored | cut
    findings.extend(islice(_useless_comments(file, name, silence, ran), MOST))
    for offset in unread[:MOST]:
        hint = "write: # domu: ignore CODE, or: # domu: ignore-file CODE"
        findings.add(_finding("L191", "a comment to the linter that says nothing", hint, _place(file, name, offset)))
    return findings


def _useless_comments(file: PreseedFile, name: str, silence: Silence, ran: frozenset[str]) -> Iterator[Finding]:
    for suppression, code in silence.unused():
        if code in ran:
            message = f"no {code} is found in what this comment is about"
            yield _finding("L190", message, "remove it", _place(file, name, suppression.offset))
        elif code not in _CODES and code not in COMPLETENESS:
            hint = did_you_mean(code, _CODES) or "docs/rules.md lists the codes"
            yield _finding("L191", f"there is no rule {code}", hint, _place(file, name, suppression.offset))


_CODES = {rule.code: rule for rule in RULES}


def _run(rule: Rule, problems: Iterable[Problem], file: PreseedFile, name: str, silence: Silence) -> Iterator[Finding]:
    """At most one finding more than MOST, so that the caller sees there are more."""
    count = 0
    for problem in problems:
        if silence.covers(rule.code, file.line_of(problem.offset)):
            continue
        place = _place(file, name, problem.offset)
        yield Finding(rule.code, problem.message, problem.hint, place, rule.severity)
        count += 1
        if count > MOST:
            return


def _more(finding: Finding) -> Finding:
    message = f"and more of these; the first {MOST} are shown"
    return Finding(finding.code, message, "", finding.place, finding.severity)


def _finding(code: str, message: str, hint: str, place: Place) -> Finding:
    return Finding(code, message, hint, place, _CODES[code].severity)


def _place(file: PreseedFile, name: str, offset: int) -> Place:
    return Place(name, *file.position(offset))
