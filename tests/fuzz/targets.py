"""What is fuzzed: functions that take any bytes and raise only when something is wrong, with files to begin from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from builder.findings import Severity
from builder.host.catalogue import shipped_catalogue
from builder.preseed.completeness import answers_of, check_complete, situation_of_answers
from builder.preseed.fix import fix
from builder.preseed.given import Given, Hardware
from builder.preseed.layout import least_disk, predict
from builder.preseed.lint import RULES, lint
from builder.preseed.linted import Linted, gather
from builder.preseed.loader import load
from builder.preseed.mends import MENDS
from builder.preseed.partman import Machine
from builder.preseed.recipe import parse_recipe, render_recipe
from builder.preseed.recipe_lint import lint_recipe
from builder.preseed.rule import Subject
from builder.preseed.syntax import parse_preseed, unparse
from builder.preseed.templates import parse_templates, split_choices
from builder.profile.model import Suite
from builder.report.formats import Format, report
from builder.report.lint import diff_text
from builder.units import Size
from tests.preseed_faults import FAULTS

ROOT = Path(__file__).parents[2]
SUITES: tuple[Suite, Suite] = ("bookworm", "trixie")
LABELS: tuple[Literal["msdos", "gpt"], ...] = ("msdos", "gpt")
METHODS: tuple[Literal["regular", "lvm"], ...] = ("regular", "lvm")
FORMS: tuple[Format, ...] = ("text", "json", "sarif", "junit", "github")
TEMPLATE = b"""\
Template: toy/colour
Type: select
Choices: red, light\\, blue, ${MORE}
Choices-de.UTF-8: rot
Default: red
Description: Colour:
 Choose.
 .
  - red
"""
# Words that the readers look for, so that not every one must be found letter by letter.
TOKENS = (
    *(b"d-i ", b" string ", b" boolean ", b" select ", b" multiselect ", b" password ", b" seen ", b" true\n"),
    *(b" \\\n", b"\\\r\n", b"\r\n", b"\0", b"\xef\xbb\xbf", b"\xc2\xa0", b"# domu: ignore L102\n", b"\n\n"),
    *(b"partman/confirm", b"passwd/root-password", b"preseed/late_command", b"tasksel/first", b"netcfg/get_hostname"),
    *(b"partman-auto/expert_recipe", b" :: ", b" . ", b"$primary{ }", b"$lvmok{ }", b"method{ swap }", b" 512 "),
    *(b"20%", b" -1 ", b"ext4", b"mountpoint{ / }", b"Template: ", b"Type: ", b"Choices: ", b"Description: ", b"${X}"),
)


def fuzz_syntax(data: bytes) -> None:
    """Every byte is kept, every place is in the file, and the installer's database is what the entries say."""
    file = parse_preseed(data)
    assert unparse(file) == data
    lines = data.count(b"\n") + 1
    for item in file.items:
        assert 1 <= file.position(file.start(item))[0] <= lines
    loaded = load(file)
    assert {answer.question for answer in loaded.answers} <= {entry.question.text for entry in file.entries}


def fuzz_templates(data: bytes) -> None:
    """Templates of a package or a source, and its lists of choices."""
    for source in (False, True):
        templates, findings = parse_templates(data, name="toy", source=source)
        assert all(template.name for template in templates)
        assert all(finding.code.startswith("C") for finding in findings)
    split_choices(data.decode("utf-8", "surrogateescape"))


def fuzz_recipe(data: bytes) -> None:
    """A recipe's words, its faults, its layout on disks of several sizes, and back to text."""
    text = data.decode("utf-8", "replace")
    recipe, _findings = parse_recipe(text, "recipe")
    assert parse_recipe(render_recipe(recipe))[0].lines is not None
    for suite in SUITES:
        lint_recipe(recipe, suite, "recipe")
        for label in LABELS:
            for method in METHODS:
                machine = Machine(suite, Size.parse("1G"), label, method)
                least_disk(recipe, machine)
                for size in ("2G", "40G", "3T"):
                    predict(recipe, machine, Size.parse(size))


def fuzz_lint(data: bytes) -> None:
    """Every rule, completeness, and a report in every form."""
    files = [looked_at(data)]
    for form in FORMS:
        report(files, form, Severity.WARNING, mended={}, colour=form == "text").encode()


def fuzz_fix(data: bytes) -> None:
    """A second run changes nothing, no error is new, and what silences nothing else is left alone."""
    done = fix(data, (given(),))
    assert fix(done.data, (given(),)).data == done.data
    assert errors(done.data) <= errors(data)
    assert set(done.mended) <= set(MENDS)
    assert (done.data == data) == (not done.mended)
    diff_text("p", data, done.data).encode()


def looked_at(data: bytes) -> Linted:
    file = parse_preseed(data)
    loaded = load(file)
    situation = situation_of_answers(answers_of(loaded), "trixie", given().hardware)
    pending = check_complete(loaded, situation, "p", ours=False)
    found = lint(file, "p", given=given(), pending=pending)
    return gather("p", file, {"trixie": found})


def errors(data: bytes) -> Counter[str]:
    subject = Subject(parse_preseed(data), given())
    return Counter(rule.code for rule in RULES if rule.severity is Severity.ERROR for _ in rule.check(subject))


@cache
def given() -> Given:
    hardware = Hardware("pv", ("/dev/xvda",), Size.parse("10G"), Size.parse("1G"))
    return Given(shipped_catalogue("trixie"), (shipped_catalogue("bookworm"),), "network", hardware)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "syntax": fuzz_syntax,
    "templates": fuzz_templates,
    "recipe": fuzz_recipe,
    "lint": fuzz_lint,
    "fix": fuzz_fix,
}


def seeds(target: str) -> Iterator[bytes]:
    """Files that the target knows how to read."""
    match target:
        case "templates":
            yield TEMPLATE
        case "recipe":
            yield from (text.encode() for text in recipes())
        case _:
            yield from (fault.data for fault in FAULTS)
            yield from (
                case["input"].encode() for case in json.loads((ROOT / "tests/data/grammar-cases.json").read_text())
            )
            yield from (path.read_bytes() for path in sorted((ROOT / "tests/golden/cases").glob("*/preseed.cfg")))


def recipes() -> Iterator[str]:
    found = json.loads((ROOT / "tests/data/partman-vectors.json").read_text())["recipes"]
    yield from (text for text in (found.values() if isinstance(found, dict) else found) if isinstance(text, str))
    yield "mine :: 2000 3000 -1 ext4 $primary{ } method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } ."
