"""What goes of a guest that is removed, in which order, and what refuses all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from builder.plan.remove import Found, RemovePlan, plan_remove
from builder.plan.step_data import step_data, step_of
from builder.plan.steps import ChangeVolume, RemoveFiles, RemoveLink, StopDomain, commands_of
from builder.storage.steps import RemoveVolume
from builder.xen.doctor.facts import AutoStart
from builder.xen.readings import Domain, DomainState
from tests.guests import guest
from tests.lvm_reports import facts, lv
from tests.unit.plan.test_rebuild import DISK, OWN_DISK, OWN_SRV, STRANGER, domain

WEB1 = guest({"disk": DISK, "volumes": [{"name": "srv", "size": "400M"}]})
CONFIG = "/var/lib/domu/web1/web1.cfg"
LINK = AutoStart("010-web1.cfg", CONFIG, "web1")
FILES = ("initrd.gz", "installed", "manifest.json", "network", "vmlinuz", "web1.cfg", "web1.install.cfg")


@dataclass(frozen=True)
class Case:
    """A guest that runs, starts with dom0, and has data; a row changes what it is about."""

    domains: tuple[Domain, ...] = (domain(disks=("vg0/web1-disk", "vg0/web1-srv")), domain("db1", 4))
    volumes: tuple[dict[str, str], ...] = (OWN_DISK | {"lv_attr": "-wi-ao----"}, OWN_SRV | {"lv_attr": "-wi-ao----"})
    files: tuple[str, ...] | None = FILES
    autostarts: tuple[AutoStart, ...] = (LINK, AutoStart("020-db1.cfg", "/etc/xen/db1.cfg", "db1"))
    named: tuple[str, ...] = ()

    def plan(self) -> RemovePlan:
        found = Found(self.domains, facts(*self.volumes), self.files, self.autostarts)
        return plan_remove(WEB1, found, named=self.named)


def kinds(plan: RemovePlan) -> list[str]:
    return [type(step.step if isinstance(step, ChangeVolume) else step).__name__ for step in plan.steps]


def test_what_starts_it_goes_before_it_is_stopped_and_its_files_last() -> None:
    plan = Case().plan()
    assert plan.findings == ()
    assert kinds(plan) == ["RemoveLink", "StopDomain", "RemoveVolume", "RemoveFiles"]
    link, stop, _volume, files = plan.steps
    assert link == RemoveLink("web1", "/etc/xen/auto/010-web1.cfg", CONFIG)
    assert stop == StopDomain("web1", 3, WEB1.domain_uuid)
    assert files == RemoveFiles("web1", "/var/lib/domu/web1", FILES)
    assert [one.path for one in plan.destroyed] == ["vg0/web1-disk"]
    assert [one.path for one in plan.left] == ["vg0/web1-srv"]


def test_data_goes_by_its_own_word() -> None:
    plan = Case(named=("srv",)).plan()
    assert kinds(plan)[2:5] == ["RemoveVolume", "TagVolume", "RemoveVolume"]
    assert plan.left == ()


def test_a_guest_of_which_there_is_nothing_has_no_steps() -> None:
    plan = Case(domains=(), volumes=(), files=None, autostarts=()).plan()
    assert (plan.steps, plan.findings, plan.destroyed, plan.left) == ((), (), (), ())


def test_a_copy_that_was_cut_off_goes_too() -> None:
    assert not Case(files=(".vmlinuz.part", "web1.cfg")).plan().refused
    assert Case(files=(".notes.part", "web1.cfg")).plan().refused


def test_a_folder_that_is_empty_goes_too() -> None:
    assert kinds(Case(files=()).plan())[-1] == "RemoveFiles"


def test_steps_survive_the_journal() -> None:
    steps = Case(named=("srv",)).plan().steps
    assert tuple(step_of(step_data(step)) for step in steps) == steps


def test_the_command_lines_name_every_file() -> None:
    *_, files = Case().plan().steps
    remove, folder = commands_of(files)
    assert remove[:2] == ("rm", "--recursive")
    assert remove[2:] == tuple(f"/var/lib/domu/web1/{name}" for name in FILES)
    assert folder == ("rmdir", "/var/lib/domu/web1")


WARNED: dict[str, tuple[str, Callable[[Case], Case]]] = {
    "xendomains starts another config of its name": (
        "G144",
        lambda case: replace(case, autostarts=(AutoStart("web1.cfg", "/etc/xen/web1.cfg", "web1"),)),
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_is_only_told(name: str) -> None:
    code, change = WARNED[name]
    plan = change(Case()).plan()
    assert [finding.code for finding in plan.findings] == [code]
    assert not plan.refused
    assert "RemoveLink" not in kinds(plan)


def test_guests_that_start_after_it_are_told() -> None:
    found = Found((), facts(), None, ())
    waiting = guest({"name": "app1", "start_after": ["web1"], "autostart": True})
    (finding,) = plan_remove(WEB1, found, others=[waiting, guest({"name": "db1"})]).findings
    assert (finding.code, finding.message) == ("G145", "app1 has it in start_after")


REFUSED: dict[str, tuple[str, Callable[[Case], Case]]] = {
    "another domain has its name": ("G103", lambda case: replace(case, domains=(domain(uuid=STRANGER),))),
    "another domain has its UUID": ("G103", lambda case: replace(case, domains=(domain("x", uuid=WEB1.domain_uuid),))),
    "it is paused": ("G104", lambda case: replace(case, domains=(domain(state=DomainState(paused=True)),))),
    "it is dying": (
        "G104",
        lambda case: replace(case, domains=(domain(state=DomainState(shutdown="poweroff", dying=True)),)),
    ),
    "it crashed and is kept": (
        "G105",
        lambda case: replace(
            case, domains=(domain("web1-20261123T0300Z", uuid=STRANGER, state=DomainState(shutdown="crash")),)
        ),
    ),
    "another domain has its disk": (
        "G106",
        lambda case: replace(case, domains=(*case.domains, domain("mail1", 5, disks=("vg0/web1-disk",)))),
    ),
    "a foreign volume has its name": ("V104", lambda case: replace(case, volumes=(lv("web1-disk"), OWN_SRV))),
    "its disk is open, and not by its domain": ("V107", lambda case: replace(case, domains=())),
    "a word for data that is not there": ("G141", lambda case: replace(case, named=("src",))),
    "a word for the system disk": ("G141", lambda case: replace(case, named=("",))),
    "strange files": ("G143", lambda case: replace(case, files=(*FILES, "notes.txt"))),
    "another guest's config in its folder": ("G143", lambda case: replace(case, files=("db1.cfg",))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_touches_nothing(name: str) -> None:
    code, change = REFUSED[name]
    plan = change(Case()).plan()
    assert code in {finding.code for finding in plan.findings}
    assert plan.refused
    assert plan.steps == ()
    assert all(finding.hint for finding in plan.findings)


def test_data_that_another_domain_has_is_in_nobodys_way_while_it_stays() -> None:
    others = (*Case().domains, domain("mail1", 5, disks=("vg0/web1-srv",)))
    assert not replace(Case(), domains=others).plan().refused
    assert replace(Case(), domains=others, named=("srv",)).plan().refused


def test_only_its_own_volumes_are_in_the_steps() -> None:
    db1 = lv("db1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=db1")
    case = replace(Case(), volumes=(*Case().volumes, db1, lv("root")))
    (volume,) = (step.step for step in case.plan().steps if isinstance(step, ChangeVolume))
    assert isinstance(volume, RemoveVolume)
    assert volume.target.path == "vg0/web1-disk"
