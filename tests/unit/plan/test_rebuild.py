"""What a rebuild does and what it refuses, decided from made-up facts of a dom0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from builder.plan.rebuild import Build, Candidate, Dom0, Place, RebuildPlan, in_order, plan_rebuild
from builder.plan.steps import ChangeVolume, Install, PlaceFiles, Start, StopDomain, Wait, commands_of
from builder.profile.model import Guest
from builder.storage.plan import plan_volumes
from builder.storage.steps import CreateVolume, RemoveVolume
from builder.storage.wishes import wishes_of
from builder.units import Size
from builder.xen.domain_config import DomainConfig, DomainDisk
from builder.xen.readings import Domain, DomainState, read_info
from tests.guests import guest
from tests.lvm_reports import facts, lv
from tests.xl import INFO

GIB = 1 << 30
DISK = {"size": "4000M", "partitions": [{"mount": "/", "minimum": "1G"}]}
WEB1 = guest({"disk": DISK, "volumes": [{"name": "srv", "size": "400M"}]})
DB1 = guest({"name": "db1", "disk": DISK, "start_after": []})
OWN_DISK = lv("web1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=web1")
OWN_SRV = lv("web1-srv", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=srv")
FILES = {"vmlinuz": "aa", "initrd.gz": "bb", "web1.install.cfg": "cc", "web1.cfg": "dd"}
BUILD = Build("/site/build/web1", Size(60 << 20), FILES)
ROOM, EMPTY = Size(5 * GIB), Place({}, Size(20 * GIB))
IDLE = DomainState(blocked=True)


def domain(name: str = "web1", domid: int = 3, state: DomainState = IDLE, **more: Any) -> Domain:
    """A domain of 1 GiB; `uuid` is that of the guest of its name unless given, `disks` are GROUP/NAME."""
    uuid = more.pop("uuid", guest({"name": name}).domain_uuid if name.isalnum() else "")
    disks = tuple(DomainDisk("xvda", f"/dev/{path}", writable=True) for path in more.pop("disks", ()))
    assert not more
    size = Size(GIB)
    actions = ("destroy", "restart", "restart")
    config = DomainConfig(name, uuid, "pv", size, size, 1, "", "", "", "", disks, (), *actions)
    return Domain(name, domid, size, 1, state, 1.0, uuid, config)


@dataclass(frozen=True)
class Case:
    """A run for web1 on a dom0 where all is well, but for what a row changes."""

    guests: tuple[Guest, ...] = (WEB1,)
    builds: dict[str, Build | None] = field(default_factory=lambda: {"web1": BUILD, "db1": BUILD})
    domains: tuple[Domain, ...] = ()
    volumes: tuple[dict[str, str], ...] = (OWN_DISK, OWN_SRV)
    free: Size = ROOM
    interfaces: tuple[str, ...] = ("eth0", "xenbr0")
    place: Place = EMPTY

    def plan(self) -> RebuildPlan:
        return plan_rebuild([self.candidate(one) for one in self.guests], self.dom0())

    def dom0(self) -> Dom0:
        own = Domain("Domain-0", 0, Size(GIB), 1, DomainState(running=True), 1.0)
        return Dom0(
            (own, *self.domains),
            replace(read_info(INFO), unclaimed=self.free),
            facts(*self.volumes),
            frozenset(self.interfaces),
            {one.name: self.place for one in self.guests},
        )

    def candidate(self, one: Guest) -> Candidate:
        sized, _ = plan_volumes(one)
        assert sized
        return Candidate(one, self.builds[one.name], wishes_of(one, sized))


def kinds(plan: RebuildPlan, number: int = 0) -> list[str]:
    found = []
    for step in plan.guests[number].steps:
        inner = step.step if isinstance(step, ChangeVolume) else step
        found.append(type(inner).__name__)
    return found


def test_a_guest_that_runs_is_stopped_and_made_anew_with_its_data_kept() -> None:
    plan = Case(domains=(domain(disks=("vg0/web1-disk", "vg0/web1-srv")),)).plan()
    assert plan.findings == ()
    assert kinds(plan) == ["StopDomain", "RemoveVolume", "CreateVolume", "PlaceFiles", "Install", "Start", "Wait"]
    assert [one.path for one in plan.destroyed] == ["vg0/web1-disk"]
    assert [wish.path for wish in plan.kept] == ["vg0/web1-srv"]


def test_a_new_guest_is_only_made() -> None:
    plan = Case(volumes=()).plan()
    assert kinds(plan) == ["CreateVolume", "CreateVolume", "PlaceFiles", "Install", "Start", "Wait"]
    assert plan.destroyed == ()
    assert plan.kept == ()


def test_no_step_touches_a_volume_that_is_kept() -> None:
    plan = Case().plan()
    touched = {
        step.step.path if isinstance(step.step, CreateVolume) else step.step.target.path
        for step in plan.guests[0].steps
        if isinstance(step, ChangeVolume)
    }
    assert touched == {"vg0/web1-disk"}


def test_a_domain_that_stopped_by_itself_is_taken_away() -> None:
    off = DomainState(shutdown="poweroff")
    assert kinds(Case(domains=(domain(state=off),)).plan())[0] == "DestroyDomain"


def test_files_that_are_there_already_are_not_copied() -> None:
    plan = Case(place=Place(FILES, Size(0))).plan()
    assert "PlaceFiles" not in kinds(plan)
    assert not plan.refused


def test_old_files_are_told() -> None:
    plan = Case(place=Place(FILES | {"vmlinuz": "old"}, Size(GIB))).plan()
    (step,) = (step for step in plan.guests[0].steps if isinstance(step, PlaceFiles))
    assert step.replaces


def test_memory_that_the_old_guest_gives_back_counts() -> None:
    assert not Case(domains=(domain(),), free=Size(100 << 20)).plan().refused


def test_guests_go_in_the_order_in_which_they_start() -> None:
    last = guest({"name": "app1", "disk": DISK, "start_after": ["web1"]})
    first = guest({"name": "web1", "disk": DISK, "start_after": ["db1"]})
    order = in_order([Candidate(one, None, ()) for one in (last, first, DB1)])
    assert [one.guest.name for one in order] == ["db1", "web1", "app1"]


def test_the_command_lines_name_domains_by_number_and_volumes_by_uuid() -> None:
    plan = Case(domains=(domain(),)).plan()
    lines = [" ".join(command) for step in plan.guests[0].steps for command in commands_of(step)]
    assert lines[0] == "timeout 120 xl shutdown -w 3"
    assert any(line.startswith("lvremove --yes --select lv_uuid=") for line in lines)
    assert "xl create /var/lib/domu/web1/web1.install.cfg" in lines
    assert "xl create /var/lib/domu/web1/web1.cfg" in lines


STRANGER = "3f0a3c5e-1111-4222-8333-0123456789ab"
CHANGES: dict[str, tuple[str, Callable[[Case], Case]]] = {
    "not built": ("G101", lambda case: replace(case, builds={"web1": None})),
    "built before the profile changed": (
        "G102",
        lambda case: replace(case, builds={"web1": replace(BUILD, stale="the profile changed")}),
    ),
    "another domain has the name": ("G103", lambda case: replace(case, domains=(domain(uuid=STRANGER),))),
    "another domain has the UUID": (
        "G103",
        lambda case: replace(case, domains=(domain("other", uuid=WEB1.domain_uuid),)),
    ),
    "its domain is paused": ("G104", lambda case: replace(case, domains=(domain(state=DomainState(paused=True)),))),
    "its domain is dying": (
        "G104",
        lambda case: replace(case, domains=(domain(state=DomainState(shutdown="poweroff", dying=True)),)),
    ),
    "it crashed and was kept": (
        "G105",
        lambda case: replace(
            case, domains=(domain("web1-20261123T0300Z", uuid=STRANGER, state=DomainState(shutdown="crash")),)
        ),
    ),
    "another domain has its disk": (
        "G106",
        lambda case: replace(case, domains=(domain("db1", disks=("vg0/web1-disk",)),)),
    ),
    "another domain has its data": (
        "G106",
        lambda case: replace(case, domains=(domain("db1", disks=("vg0/web1-srv",)),)),
    ),
    "no memory": ("G107", lambda case: replace(case, free=Size(GIB))),
    "memory for the first of two only": (
        "G107",
        lambda case: replace(case, guests=(WEB1, DB1), free=Size(3 * GIB // 2)),
    ),
    "no bridge": ("G108", lambda case: replace(case, interfaces=("eth0",))),
    "no room for the files": ("G109", lambda case: replace(case, place=Place({}, Size(59 << 20)))),
    "room for the files of the first of two only": (
        "G109",
        lambda case: replace(case, guests=(WEB1, DB1), place=Place({}, Size(100 << 20))),
    ),
    "a foreign volume": ("V104", lambda case: replace(case, volumes=(lv("web1-disk", 1000),))),
    "another guest's volume": (
        "V105",
        lambda case: replace(case, volumes=(lv("web1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=db1"),)),
    ),
    "a volume that is open": (
        "V107",
        lambda case: replace(case, volumes=(OWN_DISK | {"lv_attr": "-wi-ao----"}, OWN_SRV)),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_refused_touches_nothing(name: str) -> None:
    code, change = CHANGES[name]
    assert not Case().plan().refused
    plan = change(Case()).plan()
    assert code in {finding.code for finding in plan.findings}
    assert plan.refused
    assert all(one.steps == () for one in plan.guests)


def test_one_guest_that_is_refused_stops_the_whole_run() -> None:
    plan = Case(guests=(WEB1, DB1), builds={"web1": BUILD, "db1": None}).plan()
    assert plan.refused
    assert all(one.steps == () for one in plan.guests)


def test_every_refusal_says_what_to_do() -> None:
    for _, change in CHANGES.values():
        assert all(finding.hint for finding in change(Case()).plan().findings)


def test_steps_are_what_they_say() -> None:
    steps = Case(domains=(domain(),)).plan().guests[0].steps
    stop, remove, create, place, install, start, wait = steps
    assert isinstance(stop, StopDomain)
    assert (stop.domid, stop.uuid) == (3, WEB1.domain_uuid)
    assert isinstance(remove, ChangeVolume)
    assert isinstance(remove.step, RemoveVolume)
    assert isinstance(create, ChangeVolume)
    assert isinstance(place, PlaceFiles)
    assert isinstance(install, Install)
    assert install.memory == WEB1.memory_for_install
    assert install.uuid == WEB1.domain_uuid
    assert isinstance(start, Start)
    assert isinstance(wait, Wait)
    assert (wait.port, wait.command, wait.limit) == (22, (), 600)
