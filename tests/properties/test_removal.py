"""Laws of every removal: whatever is on a dom0, only the guest's own goes, and what is kept only by its own word."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from builder.findings import Severity
from builder.profile.model import Guest
from builder.storage.labels import KEEP, Label
from builder.storage.removal import plan_removal
from builder.storage.stale import why_stale
from builder.storage.steps import RemoveVolume, TagVolume, path_of
from tests.guests import guest
from tests.lvm_model import Model
from tests.lvm_strategies import GUESTS, VOLUMES, label, models

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]
DISK = {"size": "40M", "partitions": [{"mount": "/", "minimum": "10M"}]}


@st.composite
def owners(draw: st.DrawFn) -> Guest:
    names = draw(st.lists(st.sampled_from(VOLUMES[1:]), unique=True))
    volumes = [{"name": name, "size": "40M", "keep": draw(st.booleans())} for name in names]
    return guest({"name": draw(st.sampled_from(GUESTS)), "volume_group": "vg0", "disk": DISK, "volumes": volumes})


WORDS = st.frozensets(st.sampled_from([*VOLUMES[1:], "disk", "root"]), max_size=3)


@given(models(), owners(), WORDS)
@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
def test_only_what_is_tagged_as_the_guests_own_goes_and_kept_data_only_when_named(
    model: Model, owner: Guest, named: frozenset[str]
) -> None:
    before = dict(model.volumes)
    plan = plan_removal(owner, model.facts(), named=named)
    for step in plan.steps:
        assert why_stale(step, model.facts()) == ""
        model.take(step)
    kept = {one.name for one in owner.volumes if one.keep}
    touched = {path_of(step).removeprefix("vg0/") for step in plan.steps}
    assert (
        touched
        == before.keys() - model.volumes.keys()
        == {one.path.removeprefix("vg0/") for one in plan.destroyed if plan.steps}
    )
    for name, one in before.items():
        if name not in touched:
            assert model.volumes[name] == one
            continue
        whose = label(one)
        assert whose
        assert whose.guest == owner.name
        if KEEP in one.tags or whose.volume in kept:
            assert whose.volume in named
        assert one.attr[5] == "-"


@given(models(), owners(), WORDS)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_what_is_done_leaves_nothing_but_what_was_said_to_stay(
    model: Model, owner: Guest, named: frozenset[str]
) -> None:
    plan = plan_removal(owner, model.facts(), named=named)
    assume(not plan.refused)
    for step in plan.steps:
        model.take(step)
    left = {f"vg0/{name}" for name, one in model.volumes.items() if _is_of(owner, label(one))}
    assert left == {one.path for one in plan.left}
    again = plan_removal(owner, model.facts())
    assert again.steps == ()
    assert not again.refused


@given(models(), owners(), WORDS)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_a_refused_removal_has_a_reason_and_a_next_step_and_no_steps(
    model: Model, owner: Guest, named: frozenset[str]
) -> None:
    plan = plan_removal(owner, model.facts(), named=named)
    errors = [finding for finding in plan.findings if finding.severity is Severity.ERROR]
    assert plan.refused == bool(errors)
    assert all(finding.message and finding.hint and finding.guest == owner.name for finding in plan.findings)
    if plan.refused:
        assert plan.steps == ()


@given(models(), owners(), WORDS)
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_a_kept_volume_loses_its_tag_right_before_it_goes_and_never_otherwise(
    model: Model, owner: Guest, named: frozenset[str]
) -> None:
    steps = plan_removal(owner, model.facts(), named=named).steps
    for number, step in enumerate(steps):
        if isinstance(step, TagVolume):
            assert step.add == frozenset()
            assert step.remove == frozenset({KEEP})
            after = steps[number + 1]
            assert isinstance(after, RemoveVolume)
            assert after.target.uuid == step.target.uuid
        else:
            assert isinstance(step, RemoveVolume)
            assert KEEP not in step.target.tags


def _is_of(owner: Guest, whose: Label | None) -> bool:
    return whose is not None and whose.guest == owner.name
