"""Laws of every storage plan, on made-up volume groups: whose volumes it touches, what it takes, and that it ends."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from builder.findings import Severity
from builder.profile.fields import Percent
from builder.storage.judge import Purpose
from builder.storage.labels import KEEP, UNFINISHED
from builder.storage.stale import why_stale
from builder.storage.storage_plan import StoragePlan, plan_storage
from builder.storage.wishes import VolumeWish
from builder.units import Size
from tests.lvm_model import POOL, Held, Model
from tests.lvm_reports import EXTENT
from tests.lvm_strategies import GUESTS, VOLUMES, label, models, name_of

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


@st.composite
def wishes(draw: st.DrawFn) -> tuple[VolumeWish, ...]:
    guests = draw(st.lists(st.sampled_from(GUESTS), min_size=1, unique=True))
    return tuple(
        VolumeWish(
            guest,
            "vg0",
            name_of(guest, volume),
            volume,
            size=Size(draw(st.sampled_from([3, *range(12, 40)])) * EXTENT),
            keep=bool(volume) and draw(st.booleans()),
            pool=draw(st.sampled_from(["", POOL])),
            watermark=Percent(draw(st.sampled_from([50, 80, 100]))),
            wipe=draw(st.sampled_from(["signatures", "discard", "zero"])),
            soon=Size(0 if volume else draw(st.integers(0, 20)) * EXTENT),
        )
        for guest in guests
        for volume in ("", *draw(st.lists(st.sampled_from(VOLUMES[1:]), unique=True)))
    )


def carried_out(plan: StoragePlan, model: Model) -> None:
    """As host/lvm.py does: each step is asked once more before."""
    for step in plan.steps:
        assert why_stale(step, model.facts()) == ""
        model.take(step)


PURPOSES: st.SearchStrategy[Purpose] = st.sampled_from(["ensure", "rebuild"])


@given(models(), wishes(), PURPOSES)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_only_what_is_tagged_as_the_guests_own_is_touched(
    model: Model, wanted: tuple[VolumeWish, ...], purpose: Purpose
) -> None:
    before = dict(model.volumes)
    plan = plan_storage(wanted, model.facts(), purpose=purpose)
    carried_out(plan, model)
    mine = {wish.label for wish in wanted}
    for name, one in before.items():
        if label(one) not in mine:
            assert model.volumes[name] == one
    assert model.least_free >= 0


@given(models(), wishes(), PURPOSES)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_what_is_kept_keeps_its_bytes_and_nothing_gets_smaller_but_anew(
    model: Model, wanted: tuple[VolumeWish, ...], purpose: Purpose
) -> None:
    before = dict(model.volumes)
    plan = plan_storage(wanted, model.facts(), purpose=purpose)
    carried_out(plan, model)
    lost = {one.path for one in plan.destroyed} if plan.steps else set()
    anew = {wish.path for wish in wanted if purpose == "rebuild" and not wish.keep}
    for name, one in before.items():
        after = model.volumes[name]
        if f"vg0/{name}" not in lost:
            assert (after.uuid, after.content) == (one.uuid, one.content)
            assert after.extents >= one.extents
        elif UNFINISHED not in one.tags:
            assert f"vg0/{name}" in anew
            assert KEEP not in one.tags


@given(models(), wishes(), PURPOSES)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    model: Model, wanted: tuple[VolumeWish, ...], purpose: Purpose
) -> None:
    plan = plan_storage(wanted, model.facts(), purpose=purpose)
    assume(not plan.refused)
    carried_out(plan, model)
    again = plan_storage(wanted, model.facts())
    assert again.steps == ()
    # What a rebuild keeps although it is too large is told again, as an error: nobody rebuilds now.
    assert {finding.code for finding in again.findings if finding.severity is Severity.ERROR} <= {"V109"}
    for wish in wanted:
        there = model.volumes[wish.name]
        assert wish.label == label(there)
        assert wish.tags <= there.tags
        assert there.extents * EXTENT >= wish.size.bytes


@given(models(), wishes(), PURPOSES, st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_a_run_that_ended_early_is_gone_on_with(
    model: Model, wanted: tuple[VolumeWish, ...], purpose: Purpose, data: st.DataObject
) -> None:
    plan = plan_storage(wanted, model.facts(), purpose=purpose)
    assume(plan.steps)
    done = data.draw(st.integers(0, len(plan.steps)))
    for step in plan.steps[:done]:
        model.take(step)
    rest = plan_storage(wanted, model.facts())
    assume(not rest.refused)
    carried_out(rest, model)
    assert {wish.name for wish in wanted} <= model.volumes.keys()
    assert plan_storage(wanted, model.facts()).steps == ()


@given(models(), wishes(), PURPOSES)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_a_refused_plan_has_a_reason_and_a_next_step_and_no_steps(
    model: Model, wanted: tuple[VolumeWish, ...], purpose: Purpose
) -> None:
    plan = plan_storage(wanted, model.facts(), purpose=purpose)
    errors = [finding for finding in plan.findings if finding.severity is Severity.ERROR]
    assert plan.refused == bool(errors)
    assert all(finding.message and finding.hint for finding in plan.findings)
    if plan.refused:
        assert plan.steps == ()


@given(models(), wishes())
@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
def test_plans_do_not_depend_on_the_order_of_what_is_there(model: Model, wanted: tuple[VolumeWish, ...]) -> None:
    turned: Mapping[str, Held] = dict(reversed(model.volumes.items()))
    other = Model(dict(turned), model.total)
    assert plan_storage(wanted, model.facts()) == plan_storage(wanted, other.facts())
