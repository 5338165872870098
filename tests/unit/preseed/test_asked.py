"""What the installer stops at: rows against situations, and rows against the catalogues that ship."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builder.host.catalogue import shipped_catalogue, shipped_suites
from builder.preseed.asked import rows_about, still_asked
from builder.preseed.asked_rows import ASKED
from builder.preseed.catalogue import Known, Unknown
from builder.preseed.explained import answer_line, explain
from builder.preseed.situation import SEVERAL_ZONES, Asked, Priority, Situation, country_of

NETBOOT = Situation("trixie")
COMPLETE = {
    "debian-installer/locale": "en_US.UTF-8",
    "keyboard-configuration/xkb-keymap": "us",
    "netcfg/get_hostname": "web1",
    "netcfg/get_domain": "example.org",
    "mirror/country": "manual",
    "mirror/http/hostname": "mirror.example.org",
    "mirror/http/directory": "/debian",
    "mirror/http/proxy": "",
    "passwd/root-password-crypted": "*",
    "passwd/make-user": "false",
    "time/zone": "Etc/UTC",
    "partman-auto/method": "regular",
    "partman-auto/choose_recipe": "atomic",
    "partman/choose_partition": "finish",
    "partman/confirm": "true",
    "partman/confirm_nooverwrite": "true",
    "popularity-contest/participate": "false",
    "tasksel/first": "standard",
    "finish-install/reboot_in_progress": "",
}


def stops(situation: Situation, answers: dict[str, str], priority: Priority = "high") -> list[str]:
    """The first question of each certain stop."""
    return [row.shown[0] for row in still_asked(situation, answers, priority=priority) if row.certain]


def test_a_complete_preseed_stops_nowhere() -> None:
    assert stops(NETBOOT, COMPLETE) == []
    assert stops(replace(NETBOOT, suite="bookworm"), COMPLETE) == []


@pytest.mark.parametrize("name", [name for name in COMPLETE if name != "passwd/make-user"])
def test_each_answer_is_needed(name: str) -> None:
    found = stops(NETBOOT, {known: value for known, value in COMPLETE.items() if known != name})
    assert len(found) == 1
    assert name in {mentioned for row in rows_about(name) for mentioned in row.mentioned}


@pytest.mark.parametrize(
    ("situation", "answers", "expected"),
    [
        pytest.param({"nics": 2}, {}, ["netcfg/choose_interface"], id="two interfaces"),
        pytest.param({"disks": 2}, {}, ["partman-auto/init_automatically_partition"], id="two disks"),
        pytest.param({"disks": 2}, {"partman-auto/disk": "/dev/xvda"}, [], id="two disks, one named"),
        pytest.param({"swap": False}, {}, ["partman-basicfilesystems/no_swap"], id="no swap"),
        pytest.param(
            {"static": True}, {"netcfg/get_ipaddress": "192.0.2.2"},
            ["netcfg/get_netmask", "netcfg/get_gateway", "netcfg/get_nameservers"], id="an address without a prefix",
        ),
        pytest.param(
            {"static": True},
            {"netcfg/get_ipaddress": "192.0.2.2/24", "netcfg/get_gateway": "none", "netcfg/get_nameservers": ""}, [],
            id="an address with a prefix",
        ),
        pytest.param({"method": "lvm"}, {}, ["partman-lvm/confirm", "partman-auto-lvm/guided_size"], id="LVM"),
        pytest.param(
            {"method": "lvm"}, {"partman-lvm/confirm": "true", "partman-auto-lvm/guided_size": "max"},
            ["partman-lvm/confirm"], id="LVM, one of the two confirmations",
        ),
        pytest.param({"guest_type": "pvh"}, {}, ["grub-installer/only_debian"], id="PVH gets grub-pc"),
        pytest.param({"guest_type": "pvh"}, {"grub-installer/bootdev": "default"}, [], id="bootdev is enough"),
        pytest.param({"guest_type": "hvm", "efi": True}, {}, [], id="EFI asks for no boot device"),
        pytest.param(
            {}, {"passwd/root-login": "false"}, ["passwd/user-fullname", "passwd/user-password"],
            id="without root's login a user is made all the same",
        ),
        pytest.param({}, {"passwd/make-user": "true", "passwd/username": "ada", "passwd/user-password-crypted": "*"},
                     ["passwd/user-fullname"], id="a user without a full name"),
        pytest.param({}, {"mirror/protocol": "https"}, ["mirror/https/hostname", "mirror/https/proxy"], id="https"),
        pytest.param({}, {"mirror/country": "DE"}, ["mirror/http/mirror"], id="a country's mirrors"),
    ],
)  # fmt: skip
def test_situations(situation: dict[str, Any], answers: dict[str, str], expected: list[str]) -> None:
    assert stops(replace(NETBOOT, **situation), COMPLETE | answers) == expected


def test_a_country_with_one_zone_is_not_asked_for_it() -> None:
    answers = {name: value for name, value in COMPLETE.items() if name != "time/zone"}
    assert stops(NETBOOT, answers | {"debian-installer/locale": "de_DE.UTF-8"}) == []
    assert stops(NETBOOT, answers | {"debian-installer/locale": "pt_BR.UTF-8"}) == ["time/zone"]


def test_lower_priorities_ask_more() -> None:
    medium = stops(NETBOOT, COMPLETE, "medium")
    assert {"passwd/root-login", "clock-setup/ntp", "pkgsel/update-policy"} <= set(medium)
    assert stops(NETBOOT, {}, "critical") == [
        row.shown[0] for row in still_asked(NETBOOT, {}) if row.priority == "critical" and row.certain
    ]


@pytest.mark.parametrize(
    ("answers", "country"),
    [
        ({"debian-installer/locale": "en_GB.UTF-8"}, "GB"),
        ({"debian-installer/locale": "C.UTF-8"}, ""),
        ({"debian-installer/locale": "en_GB", "debian-installer/country": "US"}, "US"),
        ({}, ""),
    ],
)
def test_country(answers: dict[str, str], country: str) -> None:
    assert country_of(answers) == country


def test_countries_with_several_zones_are_those_of_tzsetup() -> None:
    prefix = "tzsetup/country/"
    names = [one.name for one in shipped_catalogue("trixie").questions if one.name.startswith(prefix)]
    assert {name.removeprefix(prefix) for name in names} == SEVERAL_ZONES


@pytest.mark.parametrize("row", ASKED, ids=lambda row: row.shown[0])
def test_every_row_is_about_questions_that_exist(row: Asked) -> None:
    assert row.evidence
    for suite in shipped_suites():
        catalogue = shipped_catalogue(suite)
        for name in row.mentioned:
            answer = catalogue.may_exist(name)
            assert not isinstance(answer, Unknown), (suite, name)
            if isinstance(answer, Known) and not answer.question.installer:
                assert all(line.split()[0] == answer.question.package for line in row.lines)


@pytest.mark.parametrize("row", [row for row in ASKED if row.answered_by], ids=lambda row: row.shown[0])
def test_the_example_answers_the_row(row: Asked) -> None:
    assert row.is_answered({line.split()[1]: "" for line in row.lines})


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("url", "d-i preseed/url string"),
        ("tasksel/first", "tasksel tasksel/first multiselect standard, ssh-server"),
        ("locales/default_environment_locale", "locales locales/default_environment_locale select None"),
        ("passwd/user-uid", "d-i passwd/user-uid string"),
        ("partman-target/no_root", ""),
        ("no/such", ""),
    ],
)
def test_the_line_that_answers(name: str, line: str) -> None:
    assert explain(name, [shipped_catalogue("trixie")]).line == line


def test_a_password_is_never_made_up() -> None:
    question = shipped_catalogue("trixie").by_name["passwd/root-password-crypted"]
    assert answer_line(question) == "d-i passwd/root-password-crypted password HASH"
