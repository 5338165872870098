"""What is left of a step of a storage plan that was begun and cut off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder.storage.cut_off import rest_of
from builder.storage.facts import StorageFacts
from builder.storage.labels import UNFINISHED
from builder.storage.stale import why_stale
from builder.storage.steps import (
    ActivateVolume,
    CreateVolume,
    FinishVolume,
    GrowVolume,
    RemoveVolume,
    Step,
    TagVolume,
    Target,
    WipeGrown,
    commands_of,
    describe,
)
from builder.units import Size
from tests.lvm_reports import facts, lv

TAGS = "domu,domu.disk,domu.guest=web1"
OLD = lv("web1-disk", 1000, lv_tags=TAGS)
NOTHING = facts()


def target(volumes: StorageFacts, name: str = "web1-disk") -> Target:
    found = volumes.find("vg0", name)
    assert found
    return Target.of(found)


def there(**changes: str) -> StorageFacts:
    return facts(OLD | changes)


BEFORE = target(there())
CREATE = CreateVolume("web1", "vg0", "web1-disk", 1000, BEFORE.size, BEFORE.tags, wipe="zero", filesystem="ext4")
UNDONE = replace(BEFORE, tags=BEFORE.tags | {UNFINISHED})
FINISH = FinishVolume("web1", UNDONE, thin=False, wipe="zero", filesystem="ext4")
MORE = Size(BEFORE.size.bytes * 2)
GROW = GrowVolume("web1", BEFORE, 2000, MORE, thin=False)
TAG = TagVolume("web1", BEFORE, add=frozenset({"domu.keep"}), remove=frozenset({"domu.disk"}))
GROWN = there(lv_size=str(MORE.bytes))
CASES: dict[str, tuple[Step, StorageFacts, Step | None]] = {
    "removal, still there": (RemoveVolume("web1", BEFORE), there(), RemoveVolume("web1", BEFORE)),
    "removal, gone": (RemoveVolume("web1", BEFORE), NOTHING, None),
    "removal, another has the name": (RemoveVolume("web1", BEFORE), there(lv_uuid="other-uuid"), None),
    "creation, not there": (CREATE, NOTHING, CREATE),
    "creation, half done": (CREATE, there(lv_tags=f"{TAGS},{UNFINISHED}"), FINISH),
    "creation, done": (CREATE, there(), None),
    "finishing, half done": (FINISH, there(lv_tags=f"{TAGS},{UNFINISHED}"), FINISH),
    "finishing, done": (FINISH, there(), None),
    "growing, not begun": (GROW, there(), GROW),
    "growing, done": (GROW, GROWN, None),
    "growing with zeros, half done": (
        replace(GROW, wipe="zero"),
        GROWN,
        WipeGrown("web1", target(GROWN), BEFORE.size, "zero"),
    ),
    "growing in a pool, done": (replace(GROW, wipe="zero", thin=True), GROWN, None),
    "tagging, not begun": (TAG, there(), TAG),
    "tagging, done": (TAG, there(lv_tags="domu,domu.guest=web1,domu.keep"), None),
    "activation": (ActivateVolume("web1", BEFORE), there(), ActivateVolume("web1", BEFORE)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left(name: str) -> None:
    step, now, left = CASES[name]
    assert rest_of(step, now) == left


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2]])
def test_what_is_left_fits(name: str) -> None:
    _step, now, left = CASES[name]
    assert left
    assert why_stale(left, now) == ""
    assert commands_of(left)
    assert describe(left)


# Another volume took the place: nothing of it is touched.
STRANGERS: dict[str, tuple[Step, StorageFacts]] = {
    "creation, untagged": (CREATE, there(lv_tags="")),
    "creation, another guest's": (CREATE, there(lv_tags="domu,domu.disk,domu.guest=db1")),
    "creation, of another size": (CREATE, GROWN),
    "creation, with a tag more": (CREATE, there(lv_tags=f"{TAGS},mine")),
    "creation, kept": (CREATE, there(lv_tags=f"{TAGS},domu.keep,{UNFINISHED}")),
    "finishing, another volume": (FINISH, there(lv_uuid="other-uuid")),
    "growing, to another size": (GROW, there(lv_size=str(MORE.bytes + (4 << 20)))),
    "tagging, by somebody else": (TAG, there(lv_tags="domu")),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_refused(name: str) -> None:
    step, now = STRANGERS[name]
    left = rest_of(step, now)
    assert left == step
    assert why_stale(step, now)


def test_what_is_wiped_of_a_grown_volume_begins_behind_what_it_held() -> None:
    (command,) = commands_of(WipeGrown("web1", target(GROWN), BEFORE.size, "zero"))
    assert command[:2] == ("blkdiscard", "--zeroout")
    assert command[command.index("--offset") + 1] == str(BEFORE.size.bytes)
    assert command[command.index("--length") + 1] == str(MORE.bytes - BEFORE.size.bytes)
