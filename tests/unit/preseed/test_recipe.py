"""The recipe grammar: reading, writing, and findings with their lines."""

from __future__ import annotations

import pytest

from builder.findings import Findings
from builder.preseed.partman import Entry, Machine, decode
from builder.preseed.recipe import Specifier, parse_recipe, render_recipe
from builder.preseed.recipe_lint import lint_recipe
from builder.profile.model import Suite
from builder.units import Size

ROOT = "method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } ."
SOUND = f"x ::\n500 1000 -1 ext4 $primary{{ }} {ROOT}\n64 64 300% linux-swap method{{ swap }} format{{ }} .\n"


def found(text: str, suite: Suite = "trixie") -> list[tuple[str, int]]:
    recipe, findings = parse_recipe(text, "r")
    findings.extend(lint_recipe(recipe, suite, "r"))
    return [(finding.code, finding.place.line) for finding in findings]


def decoded(line: str, suite: Suite = "trixie", ram: int = 2_147_483_000) -> list[Entry]:
    return list(decode(parse_recipe(f"x :: {line}")[0], Machine(suite, Size(ram))))


def figures(line: str, suite: Suite = "trixie") -> list[tuple[int, int, int, str]]:
    return [(it.minimum, it.priority, it.maximum, it.filesystem) for it in decoded(line, suite)]


def test_a_sound_recipe_has_no_findings() -> None:
    assert found(SOUND) == []


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        pytest.param(f"x ::\n500 1 -1 ext4 {ROOT}\n64 64 64 linux-swap\n", [("R101", 3)], id="no end"),
        pytest.param(f"500 500 -1 ext4 {ROOT}\n", [("R102", 1)], id="no name"),
        pytest.param("x ::\n", [("R103", 1)], id="no partition"),
        pytest.param(f"x ::\n500 500 -1 ext4 {ROOT}\ny ::\n", [("R104", 3)], id="two names"),
        pytest.param(f"x ::\n12M 500 -1 ext4 {ROOT}\n", [("R105", 2)], id="unit in the minimum"),
        pytest.param(f"x ::\n500 5x 1.5 ext4 {ROOT}\n", [("R105", 2), ("R105", 2)], id="bad priority and maximum"),
        pytest.param(f"x ::\n0500 0600 -1 ext4 {ROOT}\n", [("R106", 2), ("R106", 2)], id="octal"),
        pytest.param(f"x ::\n500 500 400 ext4 {ROOT}\n", [("R107", 2)], id="maximum below the minimum"),
        pytest.param(f"x ::\n500 1 500 ext4 {ROOT}\n64 64 64 linux-swap .\n", [], id="a priority for what cannot grow"),
        pytest.param(f"x ::\n64 64 64 linux-swap .\n500 1 -1 ext4 {ROOT}\n", [], id="a priority for the last one"),
        pytest.param(
            f"x ::\n64 64 64 linux-swap .\n500 1 -1 ext4 $primary{{ }} {ROOT}\n", [("R108", 3)], id="the last one first"
        ),
        pytest.param(f"x ::\n500 500 -1 ext5 {ROOT}\n", [("R109", 2)], id="unknown filesystem"),
        pytest.param(f"x ::\n1 1 1 grub method{{ biosgrub }} .\n5 5 -1 ext4 {ROOT}\n", [], id="no filesystem at all"),
        pytest.param("x ::\n5 5 -1 ext4 " + ROOT.replace("{ ext4 }", "{ ext5 }"), [("R110", 2)], id="cannot be made"),
        pytest.param(f"x ::\n5 5 -1 ext4 $primary {ROOT}", [("R111", 2)], id="sign without braces"),
        pytest.param(f"x ::\n5 5 -1 ext4 $lvmok {ROOT}", [], id="lvmok needs no braces"),
        pytest.param("x ::\n5 5 -1 ext4 " + ROOT.removesuffix("} .") + ".", [("R112", 2)], id="open brace"),
        pytest.param("x ::\n5 5 -1 ext4 " + ROOT.replace("{ / }", "{ /srv }"), [("R113", 2)], id="no root"),
        pytest.param(f"x ::\n5 5 -1 ext4 metod{{ format }} {ROOT}", [("R114", 2)], id="misspelt specifier"),
        pytest.param(f"x ::\n5 5 -1 ext4 options/ro {{ ro }} {ROOT}", [("R111", 2), ("R114", 2)], id="brace alone"),
        pytest.param(f"x ::\n5 5 -1 ext4 label{{ * }} {ROOT}", [("R115", 2)], id="pattern"),
        pytest.param("x ::\n5 5 -1 ext4 " + ROOT.replace("} format{ }", "}"), [("R116", 2)], id="not formatted"),
        pytest.param("x ::\n5 5 -1 ext4 " + ROOT.replace("use_filesystem{ } ", ""), [("R117", 2)], id="not mounted"),
    ],
)
def test_what_partman_passes_over_in_silence_is_found(text: str, findings: list[tuple[str, int]]) -> None:
    assert found(text) == findings


def test_a_misspelt_word_comes_with_the_right_one() -> None:
    findings = Findings()
    recipe, _ = parse_recipe(f"x ::\n5 5 -1 ext4 mountpiont{{ /srv }} {ROOT}")
    findings.extend(lint_recipe(recipe, "trixie"))
    assert [finding.hint for finding in findings] == ["did you mean 'mountpoint'?"]


def test_btrfs_is_known_in_trixie_only() -> None:
    text = f"x ::\n5 5 -1 btrfs {ROOT}"
    assert (found(text, "trixie"), found(text, "bookworm")) == ([], [("R109", 2)])


def test_the_preseed_form_is_read_with_its_lines() -> None:
    text = f"d-i a/b string c\nd-i partman-auto/expert_recipe string \\\n  x :: \\\n# ours\n  5 5 -1 ext4 \\\n {ROOT}\nd-i d/e string .\n"
    recipe, findings = parse_recipe(text, "r")
    assert not findings
    assert (recipe.name, [line.number for line in recipe.lines]) == ("x", [5])


def test_one_line_and_many_say_the_same() -> None:
    recipe, _ = parse_recipe(SOUND)
    one = render_recipe(recipe, one_line=True)
    assert "\n" not in one
    assert parse_recipe(one)[0] == parse_recipe(render_recipe(recipe))[0] == recipe


def test_specifiers_are_read_as_setup_partition_does() -> None:
    recipe, _ = parse_recipe("x :: 1 1 1 ext4 junk $primary{ } label{ a b } options/ro{ ro } mountpoint{ / .")
    assert recipe.lines[0].specifiers == (
        Specifier("$primary", ""),
        Specifier("label", "a b"),
        Specifier("options/ro", "ro"),
        Specifier("mountpoint", "/", closed=False),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("500 400 -1 ext4 .", (500, 500, -1, "ext4")),
        ("100% 200% 300% linux-swap .", (2147, 4294, 6441, "linux-swap")),
        ("100+10% 1000 2000 ext4 .", (314, 1000, 2000, "ext4")),
        ("x 1000 2000 ext4 .", (2_200_000_000, 2_200_000_000, 2_200_000_000, "ext4")),
        ("500 x x ext4 .", (500, 500, 500, "ext4")),
        ("500 600 -2 ext4 .", (500, 600, 500, "ext4")),
        ("500 600 400 ext4 .", (500, 600, 500, "ext4")),
        ("500 600 -1 $default_filesystem .", (500, 600, -1, "ext4")),
        ("1 1 1 free .", (1, 1, 1, "ext2")),
        ("1 1 1 .", (1, 1, 1, "ext2")),
        (".", (2_200_000_000, 2_200_000_000, 2_200_000_000, "ext2")),
    ],
)
def test_bad_words_become_what_decode_recipe_makes_of_them(line: str, expected: tuple[int, int, int, str]) -> None:
    assert figures(line) == [expected]


def test_bookworm_caps_the_ram_that_percentages_refer_to() -> None:
    assert figures("100% 1 -1 linux-swap .", "bookworm") == [(1024, 1024, -1, "linux-swap")]


@pytest.mark.parametrize(
    ("label", "line", "suite", "counts"),
    [
        ("msdos", "$iflabel{ gpt }", "trixie", False),
        ("gpt", "$iflabel{ gpt }", "bookworm", True),
        ("msdos", "$iflabel{ msdos gpt }", "trixie", True),
        ("msdos", "$iflabel{ msdos gpt }", "bookworm", False),
        ("gpt", "$iflabel{ }", "trixie", True),
        ("msdos", "$defaultignore{ }", "trixie", False),
        ("msdos", "$lvmignore{ }", "trixie", True),
    ],
)
def test_lines_that_count_only_sometimes(label: str, line: str, suite: Suite, *, counts: bool) -> None:
    recipe, _ = parse_recipe(f"x :: 5 5 5 ext4 {line} .")
    machine = Machine(suite, Size(10**9), "gpt" if label == "gpt" else "msdos")
    assert bool(decode(recipe, machine)) is counts
