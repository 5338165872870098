"""Laws of recipes: text and back; partitions that lie apart, within the disk; least disks that are least."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from builder.preseed.layout import Layout, least_disk, predict
from builder.preseed.partman import UNLIMITED, Machine, expand
from builder.preseed.recipe import Line, Recipe, parse_recipe, render_recipe
from builder.units import Size

words = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["C", "Z"]), min_size=1)
plain_words = words.filter(lambda word: word not in {".", ":", "::"} and not word.endswith("\\"))
names = st.lists(plain_words.filter(lambda word: word != "d-i"), min_size=1, max_size=3).map(" ".join)
any_recipes = st.builds(
    Recipe,
    names,
    st.lists(st.lists(plain_words, max_size=8).map(lambda found: Line(tuple(found))), max_size=5).map(tuple),
    st.sampled_from([":", "::"]),
)

amounts = st.one_of(
    st.integers(1, 9000).map(str), st.integers(0, 99).map("{}%".format), st.integers(1, 900).map("{}+5%".format)
)
lines = st.builds(
    lambda figures, signs, number: Line((*figures, "ext4", *" ".join(signs).split(), "lv_name{", f"v{number}", "}")),
    st.tuples(amounts, amounts, st.one_of(st.just("-1"), amounts)),
    st.sets(st.sampled_from(["$primary{ }", "$lvmok{ }", "$iflabel{ gpt }", "$defaultignore{ }"])),
    st.integers(0, 99),
)
recipes = st.builds(Recipe, st.just("x"), st.lists(lines, min_size=1, max_size=7).map(tuple))
machines = st.builds(
    Machine,
    st.sampled_from(["bookworm", "trixie"]),
    st.integers(2**29, 2**36).map(Size),
    st.sampled_from(["msdos", "gpt"]),
    st.sampled_from(["regular", "lvm"]),
)
disks = st.integers(2**26, 2**37).map(Size)


@given(any_recipes, st.booleans())
def test_a_recipe_is_read_as_it_was_written(recipe: Recipe, one_line: bool) -> None:
    assert parse_recipe(render_recipe(recipe, one_line=one_line))[0] == recipe


@given(st.text())
def test_any_text_can_be_read_and_then_stays(text: str) -> None:
    recipe, _ = parse_recipe(text)
    assume(not recipe.name.startswith("d-i"))
    assert parse_recipe(render_recipe(recipe))[0].lines == recipe.lines


@given(recipes, machines, disks)
def test_partitions_lie_apart_aligned_and_within_the_disk(recipe: Recipe, machine: Machine, disk: Size) -> None:
    layout = predict(recipe, machine, disk)
    end = 0
    for partition in layout.partitions:
        assert partition.start >= end
        assert partition.start % (1 << 20) == 0 == (partition.end + 1) % (1 << 20)
        assert partition.size >= 1 << 20
        end = partition.end + 1
    assert end <= disk.bytes
    assert sum(volume.extents for volume in layout.lvs) in {0, layout.vg_extents}


@given(recipes, machines, disks)
def test_a_layout_gives_each_line_one_place(recipe: Recipe, machine: Machine, disk: Size) -> None:
    layout = predict(recipe, machine, disk)
    assume(layout.fits and not layout.problem)
    numbers = [partition.num for partition in layout.partitions]
    assert len(set(numbers)) == len(numbers)
    outside = len(layout.partitions) - any(it.method == "lvm" for it in layout.partitions)
    assert outside + len(layout.lvs) == len(layout.decoded)


@given(recipes, machines, st.integers(0, 10**6))
def test_sizes_grow_within_their_bounds_and_the_free_space(recipe: Recipe, machine: Machine, free: int) -> None:
    entries = predict(recipe, machine, Size(0)).decoded
    grown = expand(entries, free, machine)
    for before, after in zip(entries, grown, strict=True):
        assert after.minimum >= before.minimum
        assert before.maximum == UNLIMITED or after.minimum <= before.maximum
    least = sum(entry.minimum for entry in entries)
    assert sum(entry.minimum for entry in grown) <= max(free, least)


def sound(recipe: Recipe, machine: Machine, disk: Size) -> bool:
    layout: Layout = predict(recipe, machine, disk)
    return layout.is_sound


@given(recipes, machines)
def test_the_least_disk_is_sound_and_a_megabyte_less_is_not(recipe: Recipe, machine: Machine) -> None:
    least = least_disk(recipe, machine)
    if least is None:
        assert not sound(recipe, machine, Size(2**43))
        return
    assert sound(recipe, machine, least)
    assume(least.bytes >= 1_000_000)
    assert not sound(recipe, machine, Size(least.bytes - 1_000_000))


@given(recipes, machines, st.integers(0, 10**9))
def test_a_least_disk_is_enough_when_the_installer_sees_less_memory(
    recipe: Recipe, machine: Machine, less: int
) -> None:
    machine = replace(machine, method="regular")
    least = least_disk(recipe, machine)
    assume(least is not None)
    assert least is not None
    assert predict(recipe, replace(machine, ram=Size(max(0, machine.ram.bytes - less))), least).fits
