"""What the stock templates answer for which guest: a table of questions, and the files that late steps need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builder.media.mirror import MirrorAnswers
from builder.preseed.render import Rendered
from tests.guests import FULL, HASH, KEY, MIRROR, answers, guest, rendered, sample_guests

STATIC = {"address": "192.0.2.10/24", "gateway": "192.0.2.1"}
# Asked at critical or high in a netboot installation, or read from there, whatever the guest: see docs/templates.md.
_ALWAYS = """
    debian-installer/locale keyboard-configuration/xkb-keymap netcfg/choose_interface netcfg/get_hostname
    netcfg/get_domain netcfg/hostname mirror/country mirror/protocol mirror/http/hostname mirror/http/directory
    mirror/http/proxy passwd/root-login passwd/root-password-crypted passwd/make-user clock-setup/utc clock-setup/ntp
    time/zone partman-auto/method partman-auto/disk partman-lvm/device_remove_lvm partman-md/device_remove_md
    partman/choose_partition partman/confirm partman/confirm_nooverwrite partman-basicfilesystems/no_swap
    partman-partitioning/default_label apt-setup/services-select apt-setup/non-free-firmware apt-setup/non-free
    apt-setup/contrib hw-detect/load_firmware popularity-contest/participate tasksel/first pkgsel/update-policy
    pkgsel/upgrade grub-installer/only_debian grub-installer/with_other_os grub-installer/bootdev
    finish-install/reboot_in_progress debian-installer/exit/poweroff netcfg/target_network_config preseed/late_command
"""
ALWAYS = set(_ALWAYS.split())


def values(done: Rendered) -> dict[str, str]:
    return {question: value for question, (_owner, _type, value) in answers(done.text).items()}


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("kind", ["pv", "pvh", "hvm"])
def test_every_question_of_a_plain_installation_is_answered(suite: str, kind: str) -> None:
    done = answers(rendered(guest(suite=suite, type=kind)).text)
    assert ALWAYS - done.keys() == set()
    assert {"partman-auto/choose_recipe", "partman-auto/expert_recipe"} & done.keys()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, {"netcfg/get_hostname": "web1", "netcfg/get_domain": "", "netcfg/hostname": "web1"}, id="bare"),
        pytest.param({"domain": "a.example"}, {"netcfg/hostname": "web1.a.example"}, id="domain"),
        pytest.param({}, {"netcfg/get_ipaddress": None, "netcfg/disable_autoconfig": None}, id="DHCP"),
        pytest.param(
            {"nics": [{"bridge": "b", "ipv4": STATIC}], "dns": ["192.0.2.2", "2001:db8::2"]},
            {
                "netcfg/disable_autoconfig": "true",
                "netcfg/get_ipaddress": "192.0.2.10/24",
                "netcfg/get_gateway": "192.0.2.1",
                "netcfg/get_nameservers": "192.0.2.2 2001:db8::2",
                "netcfg/confirm_static": "true",
            },
            id="static",
        ),
        pytest.param(
            {"nics": [{"mode": "routed", "ipv4": {"address": "203.0.113.7/32", "gateway": "192.0.2.1"}}]},
            {"netcfg/get_ipaddress": "203.0.113.7/32", "netcfg/get_gateway": "192.0.2.1"},
            id="a gateway outside /32",
        ),
        pytest.param(
            {"nics": [{"bridge": "b", "ipv4": {"address": "192.0.2.10/24"}}]},
            {"netcfg/get_gateway": "none", "netcfg/get_nameservers": ""},
            id="no gateway",
        ),
        pytest.param(
            {"nics": [{"bridge": "b", "ipv4": "none", "ipv6": {"address": "2001:db8::a/64", "gateway": "fe80::1"}}]},
            {"netcfg/get_ipaddress": "2001:db8::a/64", "netcfg/get_gateway": "fe80::1"},
            id="IPv6 only",
        ),
        pytest.param(
            {"nics": [{"bridge": "b", "ipv6": {"address": "2001:db8::a/64"}}]},
            {"netcfg/get_ipaddress": None},
            id="DHCP beside a fixed IPv6 address",
        ),
        pytest.param(
            {"nics": [{"bridge": "b", "mac": "00:16:3e:00:00:01"}, {"bridge": "c"}]},
            {"netcfg/choose_interface": "00:16:3e:00:00:01"},
            id="the first of two NICs",
        ),
        pytest.param(
            {"components": ["main", "contrib", "non-free-firmware"]},
            {"apt-setup/contrib": "true", "apt-setup/non-free": "false", "apt-setup/non-free-firmware": "true"},
            id="components",
        ),
        pytest.param(
            {"security": False},
            {"apt-setup/services-select": "updates", "apt-setup/security_host": None},
            id="no security updates",
        ),
        pytest.param({"ntp": False, "timezone": "Europe/Berlin"}, {"clock-setup/ntp": "false", "time/zone": "Europe/Berlin"}, id="clock"),
        pytest.param(
            {}, {"passwd/root-password-crypted": "*", "passwd/make-user": "false", "passwd/username": None}, id="no accounts"
        ),
        pytest.param({"root": {"password": HASH}}, {"passwd/root-password-crypted": HASH}, id="root's password"),
        pytest.param(
            {"users": [{"name": "ann", "password": HASH}]},
            {
                "passwd/root-password-crypted": "*",
                "passwd/make-user": "true",
                "passwd/username": "ann",
                "passwd/user-fullname": "ann",
                "passwd/user-password-crypted": HASH,
            },
            id="a user",
        ),
        pytest.param(
            {"users": [{"name": "ann", "full_name": "Ann E."}]},
            {"passwd/user-fullname": "Ann E.", "passwd/user-password-crypted": "*"},
            id="a user without a password",
        ),
        pytest.param(
            {},
            {
                "partman-auto/method": "regular",
                "partman-auto/choose_recipe": "atomic",
                "partman-auto/expert_recipe": None,
                "partman-partitioning/default_label": "msdos",
                "partman-lvm/confirm": None,
            },
            id="stock recipe",
        ),
        pytest.param(
            {"disk": {"method": "lvm", "recipe": "multi", "label": "gpt"}},
            {
                "partman-auto/method": "lvm",
                "partman-auto/choose_recipe": "multi",
                "partman-partitioning/default_label": "gpt",
                "partman-auto-lvm/guided_size": "max",
                "partman-auto-lvm/new_vg_name": "web1",
                "partman-lvm/confirm": "true",
                "partman-lvm/confirm_nooverwrite": "true",
            },
            id="LVM",
        ),
        pytest.param({"packages": ["git", "vim"]}, {"pkgsel/include": "git vim zstd"}, id="packages"),
        pytest.param({"type": "pvh", "packages": ["git"]}, {"pkgsel/include": "git"}, id="no hook, no zstd"),
        pytest.param({"ssh_keys": [KEY], "packages": ["git"]}, {"pkgsel/include": "git openssh-server zstd"}, id="keys need a server"),
        pytest.param({"users": [{"name": "ann", "sudo": True}]}, {"pkgsel/include": "sudo zstd"}, id="sudo"),
        pytest.param(
            {"volumes": [{"name": "d", "size": "1G", "mount": "/srv", "filesystem": "xfs"}]}, {"pkgsel/include": "xfsprogs zstd"}, id="xfs"
        ),
        pytest.param({"tasks": []}, {"tasksel/first": ""}, id="no tasks"),
        pytest.param({"tasks": ["standard", "ssh-server"]}, {"tasksel/first": "standard, ssh-server"}, id="tasks"),
        pytest.param({}, {"debian-installer/add-kernel-opts": "console=hvc0"}, id="console"),
        pytest.param(
            {"type": "hvm", "kernel_args": ["a=b", "c"]},
            {"debian-installer/add-kernel-opts": "console=ttyS0 a=b c"},
            id="kernel arguments, and the console of HVM",
        ),
        pytest.param({"early_commands": ["true"]}, {"preseed/early_command": "sh /domu/early.sh"}, id="early command"),
        pytest.param(
            {"locale": "de_CH.UTF-8"},
            {
                "debian-installer/language": "en",
                "debian-installer/country": "CH",
                "debian-installer/locale": "de_CH.UTF-8",
            },
            id="a locale in another language",
        ),
        pytest.param({"locale": "en_GB.UTF-8"}, {"debian-installer/language": None}, id="a locale in English"),
        pytest.param(
            {"locale": "C.UTF-8"}, {"debian-installer/language": "C", "debian-installer/country": "US"}, id="no country"
        ),
        pytest.param({}, {"preseed/early_command": "sh /domu/early.sh"}, id="no early command of its own"),
        pytest.param(
            {"debconf": [{"question": "pkgsel/upgrade", "type": "select", "value": "none"}]}, {"pkgsel/upgrade": "none"}, id="own answer"
        ),
        pytest.param({"debconf": [{"question": "a/b", "type": "boolean", "value": True}]}, {"a/b": "true"}, id="boolean"),
    ],
)  # fmt: skip
def test_fields_become_answers(changes: dict[str, Any], expected: dict[str, str | None]) -> None:
    found = values(rendered(guest(changes)))
    assert {question: found.get(question) for question in expected} == expected


def test_partitions_become_one_line_of_an_expert_recipe() -> None:
    found = values(rendered(guest(disk=FULL["disk"])))
    assert found["partman-auto/expert_recipe"].startswith("web1 :: ")
    assert found["partman-auto/expert_recipe"].endswith(" .")
    assert "partman-auto/choose_recipe" not in found


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        pytest.param(MIRROR, {"mirror/http/hostname": "mirror.example.org", "apt-setup/security_host": "mirror.example.org"}, id="plain"),
        pytest.param(
            MirrorAnswers("http", "cacher.example.org:3142", "/mirror.example.org/debian", ""),
            {
                "mirror/http/hostname": "cacher.example.org:3142",
                "mirror/http/directory": "/mirror.example.org/debian",
                "apt-setup/security_host": "cacher.example.org:3142/mirror.example.org",
            },
            id="through a cacher",
        ),
        pytest.param(
            replace(MIRROR, proxy="http://cacher.example.org:3142/"),
            {"mirror/http/proxy": "http://cacher.example.org:3142/", "apt-setup/security_host": "mirror.example.org"},
            id="proxy",
        ),
        pytest.param(
            MirrorAnswers("https", "mirror.example.org", "/debian", ""),
            {"mirror/protocol": "https", "mirror/https/hostname": "mirror.example.org", "mirror/http/hostname": None},
            id="https",
        ),
        pytest.param(
            MirrorAnswers("http", "mirror.example.org", "/pub/linux/debian", ""),
            {"apt-setup/security_host": "mirror.example.org/pub/linux"},
            id="deeper",
        ),
    ],
)  # fmt: skip
def test_the_way_to_the_archive(mirror: MirrorAnswers, expected: dict[str, str | None]) -> None:
    found = values(rendered(guest(), mirror=mirror))
    assert {question: found.get(question) for question in expected} == expected


@pytest.mark.parametrize(
    ("mirror", "keep", "step"),
    [
        pytest.param(MIRROR, False, "", id="nothing to remove"),
        pytest.param(replace(MIRROR, proxy="http://c.example.org:3142/"), True, "", id="kept"),
        pytest.param(replace(MIRROR, proxy="http://c.example.org:3142/"), False, "apt.conf", id="proxy"),
        pytest.param(
            MirrorAnswers("http", "c.example.org:3142", "/m.example.org/debian", ""),
            False,
            "s|http://c.example.org:3142/m.example.org/debian|http://m.example.org/debian|",
            id="cacher",
        ),
    ],
)
def test_the_proxy_stays_only_when_the_profile_says_so(mirror: MirrorAnswers, keep: bool, step: str) -> None:
    files = rendered(guest(keep_proxy=keep), mirror=mirror).files
    scripts = "".join(text for path, text in files.items() if "proxy" in path)
    assert bool(scripts) == bool(step)
    assert step in scripts


def test_packages_own_their_answers_and_the_installer_the_rest() -> None:
    owners = {question: owner for question, (owner, _type, _value) in answers(rendered(guest(FULL)).text).items()}
    foreign = {question: owner for question, owner in owners.items() if owner != "d-i"}
    assert foreign == {
        "tasksel/first": "tasksel",
        "popularity-contest/participate": "popularity-contest",
        "locales/default": "locales",
    }


def test_hashes_are_where_nobody_reads_them() -> None:
    done = rendered(guest(FULL))
    holding = [path for path, text in done.files.items() if HASH in text]
    assert holding == ["/domu/shadow"]
    assert done.files["/domu/shadow"].splitlines() == [f"{name}:{HASH}" for name in ("bob", "cid", "dan", "eve")]
    lines = [line.split()[1] for line in done.text.splitlines() if HASH in line]
    assert lines == ["passwd/root-password-crypted", "passwd/user-password-crypted"]


def test_keys_go_to_root_and_sudoers_and_each_users_to_that_user() -> None:
    shared, own, roots = (KEY.replace("someone", name) for name in ("shared", "own", "root"))
    one = guest(
        ssh_keys=[shared, own],
        root={"ssh_keys": [roots]},
        users=[{"name": "ann", "sudo": True, "ssh_keys": [own]}, {"name": "bob", "ssh_keys": [own]}, {"name": "cid"}],
    )
    files = rendered(one).files
    keys = {
        path.rpartition("/")[2]: text.splitlines() for path, text in files.items() if path.startswith("/domu/keys/")
    }
    assert keys == {"root": [roots, shared, own], "ann": [own, shared], "bob": [own]}


@pytest.mark.parametrize("one", sample_guests(), ids=lambda one: one.name)
def test_no_line_stands_alone(one: Any) -> None:
    """Each line is a comment, empty, or an answer with owner, question and type; none is continued."""
    for line in rendered(one).text.split("\n"):
        assert not line.endswith("\\")
        assert line == "" or line[0] == "#" or (line[0] != " " and len(line.split()) >= 3), line
