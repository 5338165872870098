"""Where partitions come to lie, what makes partman stop, and the least disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder.preseed.layout import Layout, least_disk, predict
from builder.preseed.partman import Machine
from builder.preseed.recipe import parse_recipe
from builder.preseed.stock import fallback_name, stock_recipe
from builder.units import Size

GIB = 1 << 30
TRIXIE = Machine("trixie", Size(2 * GIB))
BOOKWORM = replace(TRIXIE, suite="bookworm")


def laid(text: str, machine: Machine = TRIXIE, disk: int = 10 * GIB) -> Layout:
    return predict(parse_recipe(f"x :: {text}")[0], machine, Size(disk))


def numbers(layout: Layout) -> list[tuple[int, str]]:
    return [(partition.num, partition.mount) for partition in layout.partitions]


def primary(mount: str, sizes: str = "500 500 -1") -> str:
    return f"{sizes} ext4 $primary{{ }} mountpoint{{ {mount} }} . "


def plain(mount: str, sizes: str = "500 500 -1") -> str:
    return f"{sizes} ext4 mountpoint{{ {mount} }} . "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(plain("/a") + plain("/b"), [(1, "/a"), (5, "/b")], id="the first becomes primary when none is"),
        pytest.param(plain("/a") + primary("/b"), [(1, "/b"), (5, "/a")], id="primary ones come first"),
        pytest.param(
            "".join(map(primary, "abcd")), [(1, "a"), (2, "b"), (3, "c"), (4, "d")], id="four primary ones alone"
        ),
        pytest.param(
            plain("x") + "".join(map(primary, "abcd")),
            [(1, "a"), (2, "b"), (3, "c"), (5, "x"), (6, "d")],
            id="the fourth gives way to the extended one",
        ),
    ],
)
def test_primary_and_logical_numbers(text: str, expected: list[tuple[int, str]]) -> None:
    assert numbers(laid(text)) == expected


def test_gpt_keeps_the_recipes_order_and_lists_the_free_ends() -> None:
    layout = laid(plain("/a") + primary("/b"), replace(TRIXIE, label="gpt"))
    assert numbers(layout) == [(1, "/a"), (2, "/b")]
    assert [(it.start, it.end) for it in layout.free] == [(17408, (1 << 20) - 1), (10736369664, 10737401343)]


def test_the_last_ignores_its_maximum() -> None:
    layout = laid(primary("/", "1000 2000 3000") + plain("/b", "100 200 300"))
    assert layout.expanded_mb == (3000, 300)
    assert layout.partitions[-1].size > 7_000_000_000


@pytest.mark.parametrize(
    ("text", "machine", "reason"),
    [
        (primary("/", "10736 1 -1") + plain("/b", "1 1 1"), TRIXIE, "partitions"),
        (plain("/"), replace(TRIXIE, method="lvm"), "unusable_recipe"),
        (plain("/", "5 5 -1 ext4 $lvmok{ } in_vg{ other }"), replace(TRIXIE, method="lvm"), "no_pv_in_vg"),
        (
            "5 5 -1 ext4 $lvmok{ } . 9 9 -1 ext4 method{ lvm } device{ /dev/xvdb } .",
            replace(TRIXIE, method="lvm"),
            "no_such_pv",
        ),
        ("5 5 -1 ext4 $lvmok{ } lv_name{ a } . " * 2, replace(TRIXIE, method="lvm"), "same name"),
        ("9999 9999 -1 ext4 $lvmok{ } . 500 9000 -1 ext4 .", replace(BOOKWORM, method="lvm"), "small_guided_size"),
    ],
)
def test_what_makes_partman_stop_in_the_middle(text: str, machine: Machine, reason: str) -> None:
    layout = laid(text, machine, 12 * GIB if "9999" in text else 10 * GIB)
    assert layout.fits
    assert reason in layout.problem


def test_volumes_are_named_as_perform_recipe_by_lvm_names_them() -> None:
    line = "100 100 -1 ext4 $lvmok{ } "
    mounts = ("/", "/root", "/srv/a-b_c+d/", "/home//x")
    text = "".join(f"{line}mountpoint{{ {mount} }} . " for mount in mounts)
    layout = laid(text + f"{line}lv_name{{ named }} . {line}method{{ swap }} . ", replace(TRIXIE, method="lvm"))
    assert [it.name for it in layout.lvs] == ["root", "_root", "srv+a_dashb__c_+d", "home+x", "named", "swap_1"]


def test_an_own_physical_volume_takes_the_place_of_the_envelope() -> None:
    text = "100 100 -1 ext4 $lvmok{ } in_vg{ v } . 5000 5000 6000 ext4 method{ lvm } vg_name{ v } . "
    layout = laid(text + plain("/boot"), replace(BOOKWORM, method="lvm"))
    assert [it.method for it in layout.partitions] == ["", "lvm"]
    assert (layout.problem, len(layout.lvs)) == ("", 1)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("name", ["atomic", "home", "multi"])
@pytest.mark.parametrize("method", ["regular", "lvm"])
def test_least_disk_is_sound_and_one_megabyte_less_is_not(suite: str, name: str, method: str) -> None:
    machine = replace(TRIXIE if suite == "trixie" else BOOKWORM, method="lvm" if method == "lvm" else "regular")
    recipe = stock_recipe(machine.suite, name)
    least = least_disk(recipe, machine)
    assert least is not None
    assert predict(recipe, machine, least).is_sound
    assert not predict(recipe, machine, Size(least.bytes - 1_000_000)).is_sound


def test_a_recipe_that_cannot_fit_has_no_least_disk() -> None:
    assert least_disk(parse_recipe("x :: 5G 5 -1 ext4 .")[0], TRIXIE) is None


@pytest.mark.parametrize(
    ("machine", "disk", "wanted", "taken"),
    [
        (TRIXIE, 4 * GIB, "atomic", "small_disk"),
        (BOOKWORM, 4 * GIB, "atomic", "atomic"),
        (TRIXIE, 10 * GIB, "home", "home"),
        (TRIXIE, 10 * GIB, "", "atomic"),
        (TRIXIE, 2 * GIB, "", None),
    ],
)
def test_the_stock_recipe_that_is_taken_instead(machine: Machine, disk: int, wanted: str, taken: str | None) -> None:
    assert fallback_name(machine, Size(disk), wanted) == taken
