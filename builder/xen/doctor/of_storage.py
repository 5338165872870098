"""Checks of disks: volume groups against the planned volumes, and room for the cache, artefacts, consoles and dumps."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from builder.errors import BuilderError
from builder.findings import Severity
from builder.storage.plan import DEFAULT_EXTENT, plan_volumes
from builder.storage.storage_plan import StoragePlan, plan_storage
from builder.storage.wishes import VolumeWish, wishes_of
from builder.units import Size
from builder.xen.consoles import CONSOLES
from builder.xen.doctor.check import Diagnosis, is_host, ok, unknown, warn, wrong
from builder.xen.doctor.fact import Known
from builder.xen.doctor.facts import Dom0Facts, Space
from builder.xen.doctor.fixes import Edit, Fix, edit_undo
from builder.xen.doctor.needs import Needs

ROTATION = "/etc/logrotate.d/domu-consoles"
# xenconsoled opens its logs anew on SIGHUP (tools/console/daemon/main.c, handle_hup).
_ROTATION = f"""\
# Guests' consoles, written by xenconsoled: a guest can write without end.
{CONSOLES}/*.log {{
    weekly
    rotate 4
    maxsize 10M
    missingok
    notifempty
    compress
    delaycompress
    sharedscripts
    postrotate
        pkill --signal HUP --exact xenconsoled || true
    endscript
}}
"""
# Purpose -> bytes below which it is too little: a suite's media and a build take 0.3 GiB, an ISO 0.8 GiB.
LEAST: Mapping[str, int] = {"cache": 2 << 30, "artefacts": 1 << 30, "consoles": 256 << 20}
_BIG_LOG = 1 << 30
_POOL_FULL = 80  # percent; a full pool stops every guest that writes to it


def judge_groups(facts: Dom0Facts, needs: Needs) -> Iterator[Diagnosis]:
    """The storage plan of all guests at once: what `domu volumes` would make and grow, and what refuses it."""
    there = facts.storage.get()
    if not needs.guests:
        for group in there.groups:
            yield ok(f"volume group {group.name}: {_human(group.free, group.extent)} free ({group.free} extents)")
        if not there.groups:
            yield warn("there is no volume group, and guests' disks are its volumes", "vgcreate vg0 /dev/DEVICE")
        return
    wishes: list[VolumeWish] = []
    for guest in needs.guests:
        found = there.group(guest.volume_group)
        plan, _findings = plan_volumes(guest, found.extent if found else DEFAULT_EXTENT)
        if plan is None:
            yield unknown(f"the volumes of {guest.name} cannot be sized", f"domu check {guest.name}")
        else:
            wishes += wishes_of(guest, plan)
    try:
        yield from _judge_plan(plan_storage(wishes, there))
    except BuilderError as error:  # two guests wish for one volume, which the profiles' own check tells at its place
        yield wrong(error.message, "domu check")
    for pool in (volume for volume in there.volumes() if volume.is_pool):
        used = max(pool.data_percent or 0, pool.metadata_percent or 0)
        if used >= _POOL_FULL:
            yield warn(f"the thin pool {pool.path} is {used:.0f} % full", f"lvextend --size +10G {pool.path}")


def _judge_plan(plan: StoragePlan) -> Iterator[Diagnosis]:
    """Its errors and warnings, each once for all guests that have it; then the groups."""
    judges = {Severity.ERROR: wrong, Severity.WARNING: warn}
    guests: dict[tuple[Severity, str, str, str], list[str]] = {}
    for one in plan.findings:
        guests.setdefault((one.severity, one.code, one.message, one.hint), []).append(one.guest)
    for (severity, code, message, hint), names in guests.items():
        if severity in judges:
            who = f" (for {', '.join(filter(None, names))})" if any(names) else ""
            yield judges[severity](f"{message}{who}; {hint}", f"domu volumes plan   # {code}")
    if plan.refused:
        return
    for group in plan.groups:
        made = sum(one.action == "create" for one in plan.decisions if one.wish.group == group.name)
        grown = sum(one.action == "grow" for one in plan.decisions if one.wish.group == group.name)
        free, whole = _human(group.free, group.extent), _human(group.extents, group.extent)
        needed = f"{_human(group.free - group.after, group.extent)} for {made} volumes to make and {grown} to grow"
        yield ok(f"volume group {group.name}: {free} of {whole} free ({group.free} extents), {needed}")


def _human(extents: int, extent: Size) -> str:
    return Size(extents * extent.bytes).human


def judge_space(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """The site's cache, the guests' artefacts on dom0, the consoles' logs."""
    for purpose in LEAST:
        if purpose != "cache" and not is_host(facts):
            continue
        fact = facts.space(purpose)
        if isinstance(fact, Known):
            yield _judge_room(purpose, fact.value)
        elif purpose in facts.spaces:
            yield unknown(f"room for {purpose}: {fact.why}")


def _judge_room(purpose: str, space: Space) -> Diagnosis:
    there = "" if space.exists else " (not made yet)"
    said = f"{purpose}: {space.free.human} free for {space.folder}{there}"
    if space.free.bytes < LEAST[purpose]:
        return warn(f"{said}, less than {Size(LEAST[purpose]).human}", f"df -h {shlex.quote(space.mount)}")
    return ok(said)


def judge_consoles(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """A guest writes to its console as much as it likes; nothing in Debian rotates these logs."""
    hoard = facts.console_hoard.get()
    if hoard is None:
        yield ok(f"there is no {CONSOLES}, so nothing fills the disk there")
        return
    held = f"{hoard.size.human} in {hoard.files} file{'s' * (hoard.files != 1)}"
    if facts.rotated.get() and facts.has("logrotate").get():
        yield ok(f"consoles' logs are rotated; {held}")
        return
    edit = Edit(ROTATION, None, _ROTATION)
    here = facts.has("logrotate").get()
    fix = Fix(
        "rotation",
        "rotate guests' console logs",
        edits=(edit,),
        commands=() if here else (("apt-get", "--yes", "--no-install-recommends", "install", "logrotate"),),
        undo=(edit_undo(edit),) if here else (edit_undo(edit), "apt-get remove logrotate"),
    )
    big = ": more than a log should be" if hoard.size.bytes > _BIG_LOG else ""
    yield warn(f"nothing rotates {CONSOLES}, and a guest can fill the disk there ({held}{big})", fix=fix)


def judge_dumps(facts: Dom0Facts, _needs: Needs) -> Iterator[Diagnosis]:
    """Cores of crashed guests are as large as their memory."""
    hoard = facts.dumps.get()
    if hoard is None or not hoard.files:
        yield ok("no core of a crashed guest lies about")
    else:
        dated = f", the newest of {hoard.newest:%Y-%m-%d}" if hoard.newest else ""
        yield warn(f"{hoard.files} cores of crashed guests{dated}: {hoard.size.human}", f"ls -lh {hoard.folder}")
