"""What would still be asked: our own renders ask nothing, and every answer that is taken away is missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from builder.findings import Severity
from builder.preseed.asked_rows import ASKED
from builder.preseed.completeness import (
    STAGES,
    Pending,
    answers_of,
    answers_of_parameters,
    check_complete,
    find_pending,
    situation_of_answers,
    situation_of_guest,
    stage_of,
)
from builder.preseed.given import Hardware, Loading
from builder.preseed.loader import load
from builder.preseed.situation import Asked, Priority, Situation
from builder.preseed.syntax import parse_preseed
from builder.profile.model import Guest, Suite
from tests.boot.test_predict import CASES, Case, predicted, preseed_for
from tests.boot.test_predict import less as less_answers
from tests.guests import guest, rendered, sample_guests

SUITES: tuple[Suite, ...] = ("bookworm", "trixie")
TYPES = ("pv", "pvh", "hvm")
LVM = {
    "method": "lvm",
    "label": "gpt",
    "partitions": [
        {"mount": "/boot", "filesystem": "ext4", "minimum": "512M", "priority": "512M", "maximum": "512M"},
        {"mount": "/", "minimum": "2G", "maximum": "unlimited", "name": "root", "primary": False},
    ],
}
STATIC = {"bridge": "xenbr0", "ipv4": {"address": "192.0.2.10/24", "gateway": "192.0.2.1"}}
SHAPES: dict[str, dict[str, Any]] = {
    "small": {},
    "lvm without swap": {"disk": LVM},
    "stock recipe": {"disk": {"recipe": "multi"}},
    "static": {"nics": [STATIC], "dns": ["192.0.2.53"]},
    "two nics": {"nics": [{"bridge": "xenbr0"}, {"bridge": "xenbr1"}]},
    "a user": {"users": [{"name": "ann"}]},
}


def pending_of(one: Guest) -> tuple[Pending, ...]:
    loaded = load(parse_preseed(rendered(one).text.encode()))
    return find_pending(answers_of(loaded), situation_of_guest(one), priority="high")


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_our_own_renders_are_complete(suite: str, kind: str, shape: str) -> None:
    assert pending_of(guest(suite=suite, type=kind, **SHAPES[shape])) == ()


@pytest.mark.parametrize("one", sample_guests(), ids=lambda one: one.name)
def test_sample_guests_are_complete(one: Guest) -> None:
    assert pending_of(one) == ()


COMPLETE = """\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string web1
d-i netcfg/get_domain string example.org
d-i mirror/country string manual
d-i mirror/http/hostname string mirror.example.org
d-i mirror/http/directory string /debian
d-i mirror/http/proxy string
d-i passwd/root-password-crypted password *
d-i passwd/make-user boolean false
d-i time/zone string Etc/UTC
d-i partman-auto/method string regular
d-i partman-auto/choose_recipe select atomic
d-i partman/choose_partition select finish
d-i partman/confirm boolean true
d-i partman/confirm_nooverwrite boolean true
tasksel tasksel/first multiselect standard
popularity-contest popularity-contest/participate boolean false
d-i grub-installer/only_debian boolean true
d-i grub-installer/bootdev string default
d-i finish-install/reboot_in_progress note
"""


def asked(
    text: str,
    *,
    loading: Loading = "initrd",
    parameters: Mapping[str, str] | None = None,
    priority: Priority = "high",
    hardware: Hardware | None = None,
) -> list[str]:
    loaded = load(parse_preseed(text.encode()))
    answers = answers_of(loaded)
    found = find_pending(
        answers,
        situation_of_answers(answers, "trixie", hardware),
        loading=loading,
        parameters=answers_of_parameters(parameters or {}),
        priority=priority,
        aborts=loaded.aborts,
    )
    return [one.question for one in found]


def less(*questions: str) -> str:
    return "".join(line for line in COMPLETE.splitlines(keepends=True) if line.split()[1] not in questions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(COMPLETE, [], id="complete"),
        pytest.param(less("netcfg/get_domain"), ["netcfg/get_domain"], id="one less"),
        pytest.param(
            less("partman/choose_partition", "netcfg/get_hostname"),
            ["netcfg/get_hostname", "partman/choose_partition"],
            id="in the installer's order",
        ),
        pytest.param(
            COMPLETE + "d-i passwd/root-login boolean false\n",
            ["passwd/user-fullname", "passwd/user-password"],
            id="no root login forces a user",
        ),
        pytest.param(
            less("passwd/make-user"), ["passwd/user-fullname", "passwd/user-password"], id="a user by default"
        ),
        pytest.param(
            COMPLETE + "d-i netcfg/disable_autoconfig boolean true\nd-i netcfg/get_ipaddress string 192.0.2.9\n",
            ["netcfg/get_netmask", "netcfg/get_gateway", "netcfg/get_nameservers"],
            id="static without prefix",
        ),
        pytest.param(
            COMPLETE
            + "d-i netcfg/disable_autoconfig boolean true\nd-i netcfg/get_ipaddress string 192.0.2.9/24\n"
            + "d-i netcfg/get_gateway string none\nd-i netcfg/get_nameservers string\n",
            [],
            id="static with prefix",
        ),
        pytest.param(
            COMPLETE
            + "d-i partman-auto/expert_recipe string r :: 900 1000 -1 ext4 method{ format } mountpoint{ / } .\n",
            ["partman-basicfilesystems/no_swap"],
            id="a recipe without swap",
        ),
        pytest.param(
            COMPLETE.replace("string regular", "string lvm"),
            ["partman-lvm/confirm", "partman-auto-lvm/guided_size"],
            id="lvm",
        ),
        pytest.param(
            COMPLETE + "d-i x/y\nd-i a/b string lost\n", ["preseed/load_error"], id="a line that ends the load"
        ),
        pytest.param(
            COMPLETE + "d-i netcfg/get_domain seen false\n", ["netcfg/get_domain"], id="an answer that is not seen"
        ),
    ],
)
def test_what_is_asked(text: str, expected: list[str]) -> None:
    assert asked(text) == expected


@pytest.mark.parametrize(
    ("loading", "parameters", "expected"),
    [
        pytest.param(
            "network",
            {},
            [
                "localechooser/languagelist",
                "keyboard-configuration/xkb-keymap",
                "netcfg/get_hostname",
                "netcfg/get_domain",
            ],
            id="fetched: language and network are over",
        ),
        pytest.param(
            "network", {"auto": "true"}, ["netcfg/get_hostname", "netcfg/get_domain"], id="auto: language waits"
        ),
        pytest.param(
            "network",
            {"auto": "true", "hostname": "web1", "domain": "example.org"},
            [],
            id="the command line has the rest",
        ),
        pytest.param(
            "network",
            {"auto": "true", "hostname": "web1", "domain": ""},
            ["netcfg/get_domain"],
            id="an empty boot parameter is none",
        ),
        pytest.param(
            "file",
            {"locale": "en_US"},
            ["keyboard-configuration/xkb-keymap"],
            id="a file is read behind the language",
        ),
        pytest.param("initrd", {}, [], id="in the initrd nothing is late"),
    ],
)
def test_answers_that_come_too_late(loading: Loading, parameters: dict[str, str], expected: list[str]) -> None:
    assert asked(COMPLETE, loading=loading, parameters=parameters) == expected


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        pytest.param(Hardware("pv", ("/dev/xvda",)), [], id="pv"),
        pytest.param(Hardware("pvh", ("/dev/xvda",)), ["grub-installer/only_debian"], id="pvh"),
        pytest.param(None, ["grub-installer/only_debian"], id="a machine nobody told about"),
        pytest.param(
            Hardware("pv", ("/dev/xvda", "/dev/xvdb")), ["partman-auto/init_automatically_partition"], id="two disks"
        ),
    ],
)
def test_the_machine_matters(hardware: Hardware | None, expected: list[str]) -> None:
    text = less("grub-installer/only_debian", "grub-installer/bootdev")
    assert asked(text, hardware=hardware) == expected


# Where installers stopped in QEMU (docs/predict-test.md), in the order of the cases.
MEASURED = """
localechooser/languagelist keyboard-configuration/xkb-keymap
netcfg/get_netmask netcfg/get_gateway netcfg/get_nameservers netcfg/get_hostname netcfg/get_domain
mirror/http/countries mirror/http/hostname mirror/http/proxy
passwd/root-password passwd/user-fullname passwd/username passwd/user-password passwd/user-fullname time/zone
partman-auto/init_automatically_partition partman-auto/choose_recipe partman/choose_partition
partman/confirm_nooverwrite partman-auto-lvm/guided_size partman-lvm/confirm_nooverwrite
partman-basicfilesystems/no_swap
"""


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("case", "stop"),
    list(zip(CASES, MEASURED.split(), strict=True)),
    ids=lambda one: one.label if isinstance(one, Case) else one,
)
def test_the_stops_that_were_measured_are_predicted(suite: Suite, case: Case, stop: str) -> None:
    assert predicted(less_answers(preseed_for(suite), case), suite)[0].question == stop


def test_at_critical_less_is_asked() -> None:
    text = less("netcfg/get_hostname", "partman/confirm", "partman/confirm_nooverwrite")
    assert asked(text) == ["netcfg/get_hostname", "partman/confirm"]
    assert asked(text, priority="critical") == ["partman/confirm"]
    assert asked(text, parameters={"priority": "critical"}) == ["partman/confirm"]
    assert asked(text + "d-i debconf/priority select critical\n") == ["partman/confirm"]


def test_what_is_missing_is_told() -> None:
    found = find_pending(answers_of(load(parse_preseed(less("partman/confirm").encode()))), Situation("trixie"))
    assert [one.missing for one in found] == [("d-i partman/confirm boolean true",)]
    assert found[0].stage == "partitioning"


def test_every_row_has_a_stage_and_they_come_in_order() -> None:
    numbers = [STAGES.index(stage_of(row)) for row in ASKED]
    assert numbers == sorted(numbers)


# Answers on which rows depend, one that meets each condition; German's country has one time zone.
MEETING = {
    "debian-installer/locale": ("C.UTF-8",),
    "mirror/country": ("manual", "DE"),
    "mirror/protocol": ("http", "https"),
    "netcfg/get_ipaddress": ("192.0.2.9",),
    "netcfg/get_hostname": ("web1",),
    "passwd/root-login": ("true", "false"),
    "passwd/make-user": ("true", "false"),
    "grub-installer/only_debian": ("false",),
}


def scene_of(row: Asked) -> tuple[Situation, dict[str, str]]:
    """A situation, and answers, in which this row's condition holds."""
    needed = row.condition
    situation = Situation(
        "trixie",
        guest_type=min(needed.guest_types or {"pv"}),
        media=min(needed.media or {"netboot"}),
        method=min(needed.methods or {"regular"}),
        disks=2 if needed.several_disks else 1,
        nics=2 if needed.several_nics else 1,
        static=bool(needed.static),
        swap=needed.swap is not False,
        boot_in_lvm=bool(needed.boot_in_lvm),
        efi=bool(needed.efi),
        fresh=bool(needed.fresh),
    )
    answers = {"debian-installer/country": "DE" if needed.several_zones is False else "US"}
    if ("debian-installer/country",) in row.answered_by:
        answers = {}
    for where in needed.where:
        fitting = [value for value in MEETING[where.question] if where.holds({where.question: value})]
        answers[where.question] = fitting[0]
    return situation, answers


@pytest.mark.parametrize("row", ASKED, ids=lambda row: f"{row.shown[0]} {row.when[:20]}")
def test_every_row_is_met_and_its_lines_keep_it_away(row: Asked) -> None:
    situation, answers = scene_of(row)

    def rows(known: Mapping[str, str]) -> list[Asked]:
        return [one.row for one in find_pending(known, situation, priority="low", certain=False)]

    assert row in rows(answers)
    lines = {line.split()[1]: " ".join(line.split()[3:]) for line in row.lines}
    assert (row in rows({**answers, **lines})) is not bool(lines)


@pytest.mark.parametrize(
    ("text", "ours", "severity"),
    [
        pytest.param(less("mirror/country"), True, Severity.ERROR, id="ours"),
        pytest.param(less("mirror/country"), False, Severity.WARNING, id="anybody's"),
        pytest.param(
            less("mirror/country") + "d-i preseed/include string more.cfg\n", False, Severity.NOTE, id="with an include"
        ),
    ],
)
def test_findings(text: str, ours: bool, severity: Severity) -> None:
    found = list(check_complete(load(parse_preseed(text.encode())), Situation("trixie"), "a.cfg", ours=ours))
    certain = [finding for finding in found if finding.code == "Q101"]
    assert [finding.severity for finding in certain] == [severity]
    assert "mirror/http/countries" in certain[0].message
    assert "d-i mirror/country string manual" in certain[0].hint
    assert {finding.code for finding in found} <= {"Q101", "Q103"}


def test_a_late_answer_is_shown_where_it_stands() -> None:
    loaded = load(parse_preseed(COMPLETE.encode()))
    found = list(check_complete(loaded, Situation("trixie"), "a.cfg", ours=False, loading="network"))
    assert [(finding.code, finding.place.line) for finding in found if finding.code != "Q103"] == [
        ("Q102", 1),
        ("Q102", 2),
        ("Q102", 3),
        ("Q102", 4),
    ]


def test_what_the_machine_decides_is_a_note() -> None:
    found = list(check_complete(load(parse_preseed(COMPLETE.encode())), Situation("trixie"), "a.cfg", ours=True))
    assert {(finding.code, finding.severity) for finding in found} == {("Q103", Severity.NOTE)}
    assert any("partman-lvm/device_remove_lvm" in finding.message for finding in found)
