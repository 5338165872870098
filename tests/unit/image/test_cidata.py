"""What a seed tells cloud-init, and that it is the same image every time."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from builder.image.cidata import seed_files, write_seed
from builder.profile.model import Guest
from builder.secret import Secret
from tests.discs import files_on
from tests.profiles import FULL, HASH, KEY, SITE, changed

SECRETS = {"root.password": Secret(HASH), "users.alex.password": Secret(HASH.replace("canary", "alex", 1))}


def guest(**fields: Any) -> Guest:
    return Guest.model_validate({**SITE, "name": "web1", **fields})


def data_of(one: Guest, name: str, secrets: dict[str, Secret] | None = None) -> dict[str, Any]:
    text = seed_files(one, secrets or {})[name].decode()
    found: dict[str, Any] = json.loads(text.removeprefix("#cloud-config\n"))
    return found


def test_the_image_holds_the_three_files_and_is_labelled_as_cloud_init_wants_it() -> None:
    files = seed_files(guest(), {})
    image = write_seed(files)
    assert files_on(image) == files
    assert set(files) == {"meta-data", "user-data", "network-config"}
    assert image[16 * 2048 + 40 :][:32] == b"cidata".ljust(32)
    assert files["user-data"].startswith(b"#cloud-config\n")
    assert image == write_seed(seed_files(guest(), {}))


def test_names() -> None:
    one = guest(domain="example.org")
    assert data_of(one, "meta-data")["local-hostname"] == "web1.example.org"
    user = data_of(one, "user-data")
    assert (user["hostname"], user["fqdn"]) == ("web1", "web1.example.org")


def test_a_changed_seed_is_another_instance() -> None:
    first = data_of(guest(), "meta-data")["instance-id"]
    assert first.startswith("web1-")
    assert first == data_of(guest(), "meta-data")["instance-id"]
    assert first != data_of(guest(timezone="Europe/Berlin"), "meta-data")["instance-id"]
    assert first != data_of(guest(nics=[{"bridge": "xenbr0", "ipv4": "none"}]), "meta-data")["instance-id"]


def test_logins_have_their_hashes_and_keys_and_no_more() -> None:
    user = data_of(Guest.model_validate(FULL), "user-data", SECRETS)
    root, alex, kim, robin = user["users"]
    assert root == {
        "name": "root",
        "lock_passwd": False,
        "hashed_passwd": HASH,
        "ssh_authorized_keys": [KEY],
    }
    assert (alex["groups"], alex["gecos"], alex["lock_passwd"]) == (["sudo"], "Alex Example", False)
    assert alex["ssh_authorized_keys"] == [KEY]  # its own and the site's, once
    assert kim == {"name": "kim", "lock_passwd": True, "gecos": "kim", "shell": "/bin/bash"}
    assert robin["name"] == "robin"
    assert user["ssh_pwauth"] is True


def test_without_passwords_none_logs_in_by_one() -> None:
    user = data_of(guest(), "user-data")
    assert user["ssh_pwauth"] is False
    assert user["disable_root"] is False
    assert user["users"] == [{"name": "root", "lock_passwd": True, "ssh_authorized_keys": [KEY]}]


STATIC = {"address": "192.0.2.10/24", "gateway": "192.0.2.1"}
ROUTED = {"address": "203.0.113.7/32", "gateway": "192.0.2.1"}
DNS = {"dns_nameservers": ["192.0.2.53"], "dns_search": ["example.org"]}


@pytest.mark.parametrize(
    ("nic", "subnets"),
    [
        ({"bridge": "b"}, [{"type": "dhcp4"}, {"type": "ipv6_slaac"}]),
        ({"bridge": "b", "ipv4": "none", "ipv6": "none"}, [{"type": "manual"}]),
        ({"bridge": "b", "ipv4": STATIC, "ipv6": "none"}, [{"type": "static", **STATIC, **DNS}]),
        ({"mode": "routed", "ipv4": ROUTED, "ipv6": "none"}, [{"type": "static", **ROUTED, **DNS}]),
        (
            {"bridge": "b", "ipv4": "none", "ipv6": {"address": "2001:db8::10/64", "gateway": "fe80::1"}},
            [{"type": "static6", "address": "2001:db8::10/64", "gateway": "fe80::1", **DNS}],
        ),
    ],
    ids=["automatic", "none", "static", "routed", "static6"],
)
def test_the_network_is_the_profiles(nic: dict[str, Any], subnets: list[dict[str, Any]]) -> None:
    one = guest(nics=[nic], dns=["192.0.2.53"], domain="example.org")
    assert data_of(one, "network-config") == {
        "version": 1,
        "config": [{"type": "physical", "name": "eth0", "mac_address": one.macs[0], "subnets": subnets}],
    }


def test_each_nic_has_its_own_name_and_mac() -> None:
    one = guest(nics=[{"bridge": "a"}, {"bridge": "b"}])
    config = data_of(one, "network-config")["config"]
    assert [(nic["name"], nic["mac_address"]) for nic in config] == [("eth0", one.macs[0]), ("eth1", one.macs[1])]


@pytest.mark.parametrize("value", ['"}] x', "{{ ds }}", "#cloud-config", "Jürgen ✓", "\\u0041", "- a", "!!python/none"])
def test_odd_names_are_only_names(value: str) -> None:
    one = Guest.model_validate(changed(FULL, ["users", 0, "full_name"], value))
    assert data_of(one, "user-data", SECRETS)["users"][1]["gecos"] == value
    text = seed_files(one, SECRETS)["user-data"].decode()
    assert yaml.safe_load(text)["users"][1]["gecos"] == value  # as cloud-init reads it
