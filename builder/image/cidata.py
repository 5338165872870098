"""The seed of a clone: an ISO labelled `cidata`, from which cloud-init takes a guest's name, logins and addresses.

Data source NoCloud of cloud-init. Its files are YAML, and so is the JSON that is written here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from builder.image.iso.volume import SECTOR
from builder.image.iso.write import NewVolume, lay_volume
from builder.profile.model import Guest
from builder.profile.nics import Nic, Static4, Static6
from builder.secret import Secret

LABEL = "cidata"
_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def seed_files(guest: Guest, secrets: Mapping[str, Secret]) -> dict[str, bytes]:
    """`meta-data`, `user-data` and `network-config`; `secrets` by the path of their field (`Guest.secrets`).

    The crypt hashes are in them. Another content has another instance-id, on which cloud-init does its work anew.
    """
    user = b"#cloud-config\n" + _json(_user_data(guest, secrets))
    network = _json(_network(guest))
    mark = hashlib.sha256(user + network).hexdigest()[:16]
    meta = {"instance-id": f"{guest.name}-{mark}", "local-hostname": guest.fqdn}
    return {"meta-data": _json(meta), "user-data": user, "network-config": network}


def write_seed(files: Mapping[str, bytes]) -> bytes:
    """The image; the same files, the same bytes."""
    layout = lay_volume(NewVolume(LABEL, _MOMENT, {name: len(data) for name, data in files.items()}))
    body = b"".join(data + bytes(-len(data) % SECTOR) for data in files.values())
    return layout.head + body


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _user_data(guest: Guest, secrets: Mapping[str, Secret]) -> dict[str, Any]:
    root = _login("root", guest, secrets.get("root.password"))
    users = [
        _login(user.name, guest, secrets.get(f"users.{user.name}.password"))
        | {"gecos": user.full_name or user.name, "shell": "/bin/bash"}
        | ({"groups": ["sudo"]} if user.sudo else {})
        for user in guest.users
    ]
    return {
        "hostname": guest.name,
        "fqdn": guest.fqdn,
        "manage_etc_hosts": True,
        "timezone": guest.timezone,
        "locale": guest.locale,
        "disable_root": False,  # else cloud-init writes "Please login as the user ..." in front of root's keys
        "ssh_pwauth": bool(secrets),
        "users": [root, *users],
    }


def _login(name: str, guest: Guest, password: Secret | None) -> dict[str, Any]:
    """`hashed_passwd` counts for an account that the golden image has already, too; `passwd` would not."""
    login: dict[str, Any] = {"name": name, "lock_passwd": password is None}
    if password is not None:
        login["hashed_passwd"] = password.reveal()
    if name in guest.login_keys:
        login["ssh_authorized_keys"] = list(guest.login_keys[name])
    return login


def _network(guest: Guest) -> dict[str, Any]:
    """Format 1: every renderer of cloud-init has it, ifupdown's with its gateways outside of a /32, too."""
    return {
        "version": 1,
        "config": [
            {"type": "physical", "name": f"eth{number}", "mac_address": mac, "subnets": _subnets(guest, nic)}
            for number, (mac, nic) in enumerate(zip(guest.macs, guest.nics, strict=True))
        ],
    }


def _subnets(guest: Guest, nic: Nic) -> list[dict[str, Any]]:
    found = []
    if isinstance(nic.ipv4, Static4):
        found.append(_static("static", nic.ipv4, guest))
    elif nic.ipv4 == "dhcp":
        found.append({"type": "dhcp4"})
    if isinstance(nic.ipv6, Static6):
        found.append(_static("static6", nic.ipv6, guest))
    elif nic.ipv6 == "auto":
        found.append({"type": "ipv6_slaac"})
    return found or [{"type": "manual"}]


def _static(kind: str, static: Static4 | Static6, guest: Guest) -> dict[str, Any]:
    subnet: dict[str, Any] = {"type": kind, "address": str(static.address)}
    if static.gateway:
        subnet["gateway"] = str(static.gateway)
    if guest.dns:
        subnet["dns_nameservers"] = [str(one) for one in guest.dns]
        subnet["dns_search"] = [guest.domain] if guest.domain else []
    return subnet
