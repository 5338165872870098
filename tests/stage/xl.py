"""The stage's xl: prints as xl of Xen 4.17 was recorded, and makes, stops and ends domains; standard library only."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.stage import installer
from tests.stage.hardware import SHUTDOWN, State, find, free_memory, is_open, opened
from tests.stage.lvm import Answer, Half

_ROW = "{name:<40} {domid:5} {memory:5} {vcpus:5}     {state}  {seconds:8.1f}"
_ZERO = "00000000-0000-0000-0000-000000000000"


def list_domains(stage: Path, words: Sequence[str], _half: Half) -> Answer:
    """`xl list`, --verbose or --long. By the order `leaves` all guests' domains are gone when they are listed so often."""
    with opened(stage) as state:
        if (left := state["orders"].get("leaves")) is not None:
            state["orders"]["leaves"] = left - 1
            state["domains"] = [] if left == 1 else state["domains"]
        if "--long" in words or "-l" in words:
            return Answer(out=json.dumps([state["templates"]["dom0"], *_entries(state)], indent=4) + "\n")
        verbose = "--verbose" in words or "-v" in words
        zero = {"name": "Domain-0", "domid": 0, "memory": 2048, "vcpus": 1, "state": "r-----", "uuid": _ZERO}
        lines = [_row(one, verbose=verbose) for one in (zero, *state["domains"])]
        return Answer(out=state["templates"]["verbose head" if verbose else "head"] + "".join(lines))


def _row(domain: State, *, verbose: bool) -> str:
    code = {"p": "-", "c": "3"}.get(domain["state"][4], "-")
    more = f" {domain['uuid']} {code:>8} {'-':>16}" if verbose else ""
    return _ROW.format(seconds=2.0, **domain) + f"{more}\n"


def _entries(state: State) -> list[State]:
    """As libxl tells them: of a domain that is dead or still being made, nothing."""
    told = []
    for domain in state["domains"]:
        if domain["made"] and domain["state"][5] == "-":
            entry = json.loads(json.dumps(state["templates"]["domain"]))
            entry["domid"] = domain["domid"]
            config = entry["config"]
            config["c_info"] |= {"name": domain["name"], "uuid": domain["uuid"], "type": domain["type"]}
            config["b_info"] |= {"max_memkb": domain["memory"] << 10, "target_memkb": domain["memory"] << 10}
            config["b_info"] |= {key: domain[key] for key in ("kernel", "ramdisk", "cmdline")}
            disk = config["disks"][0]
            vdevs = (f"xvd{letter}" for letter in "abcdefghij")
            config["disks"] = [
                disk | {"vdev": vdev, "pdev_path": f"/dev/{path}"}
                for vdev, path in zip(vdevs, domain["disks"], strict=False)
            ]
            if "actions" in domain:
                config.update(domain["actions"])
                config["nics"] = [
                    {"devid": number, "mac": mac, "bridge": bridge}
                    for number, (mac, bridge) in enumerate(zip(domain["macs"], domain["bridges"], strict=True))
                ]
            told.append(entry)
    return told


def info(stage: Path, _words: Sequence[str], _half: Half) -> Answer:
    """`xl info`."""
    with opened(stage) as state:
        text: str = state["templates"]["info"].replace("FREE", str(free_memory(state)))
    return Answer(out=text)


def dmesg(_stage: Path, _words: Sequence[str], _half: Half) -> Answer:
    """`xl dmesg`."""
    return Answer(out="(XEN) Xen version 4.17.5 (Debian 4.17.5+72-g01140da4e8-1)\n")


def create(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`xl create CONFIG`: an install config starts the installer, another what is on its first disk."""
    path = next(word for word in words[1:] if not word.startswith("-"))
    try:
        config = _parse((stage / "root" / path.lstrip("/")).read_text())
        domain = _domain(config)
    except (OSError, SyntaxError, ValueError, KeyError) as error:
        return Answer(1, err=f"Failed to read config file {path}: {error}")
    with opened(stage) as state:
        if problem := _problem(stage, state, domain):
            return Answer(1, out=f"Parsing config from {path}\n", err=f"libxl: error: {problem}")
        domain["domid"], state["next"] = state["next"], state["next"] + 1
        state["domains"].append(domain)
    half()
    with opened(stage) as state:
        there = find(state, str(domain["domid"]))
        if there is None:
            return Answer(1, err=f"libxl: error: Domain {domain['domid']}:domain does not exist")
        there["made"], there["state"] = True, "-b----"
        _begin(stage, state, there)
    return Answer(out=f"Parsing config from {path}\n")


def _parse(text: str) -> dict[str, Any]:
    """The part of xl's syntax in which domu writes is Python's, too."""
    statements = [one for one in ast.parse(text).body if isinstance(one, ast.Assign)]
    return {
        one.targets[0].id: ast.literal_eval(one.value) for one in statements if isinstance(one.targets[0], ast.Name)
    }


def _domain(config: dict[str, Any]) -> State:
    targets = [disk.partition("target=")[2] for disk in config["disk"]]
    return {
        "name": config["name"],
        "uuid": config["uuid"],
        "type": config["type"],
        "memory": config["memory"],
        "vcpus": config["vcpus"],
        "kernel": config.get("kernel", ""),
        "ramdisk": config.get("ramdisk", ""),
        "cmdline": config.get("extra", ""),
        "disks": [target.removeprefix("/dev/") for target in targets],
        "bridges": [word[7:] for vif in config["vif"] for word in vif.split(",") if word.startswith("bridge=")],
        "macs": [word[4:] for vif in config["vif"] for word in vif.split(",") if word.startswith("mac=")],
        "on_crash": config["on_crash"],
        "actions": {name: config[name] for name in ("on_poweroff", "on_reboot", "on_crash")},
        "installs": "priority=critical" in config.get("extra", ""),
        "state": "--p---",
        "made": False,
        "ends": None,
        "asked": 0,
    }


def _problem(stage: Path, state: State, domain: State) -> str:
    """What libxl, the loader of domains or a hotplug script would stop at."""
    for other in state["domains"]:
        if domain["name"] == other["name"] or domain["uuid"] == other["uuid"]:
            return f"Domain with name {domain['name']!r} or UUID already exists."
    if domain["memory"] > free_memory(state):
        return f"not enough memory: {domain['memory']} MiB wanted, {free_memory(state)} MiB free"
    for path in domain["disks"]:
        if path not in state["volumes"] or state["volumes"][path]["row"]["lv_attr"][4] != "a":
            return f"/dev/{path}: No such file or directory"
        if is_open(state, path):
            return f"/dev/{path} is in use by another domain"
    for bridge in domain["bridges"]:
        if not (stage / f"root/sys/class/net/{bridge}").exists():
            return f"the bridge {bridge} does not exist"
    for key in ("kernel", "ramdisk"):
        file = stage / "root" / domain[key].lstrip("/")
        whole = state["sizes"].get(f"{file.parent.name}/{file.name}")
        if domain[key].startswith("/var/") and (not file.exists() or file.stat().st_size != whole):
            return f"{domain[key]} cannot be loaded"
    return ""


def _begin(stage: Path, state: State, domain: State) -> None:
    log = stage / f"root/var/log/xen/console/guest-{domain['name']}.log"
    if domain["installs"]:
        installer.start(stage, state, domain)
        return
    installed = state["volumes"][domain["disks"][0]]["content"].startswith("a system")
    with log.open("a") as console:
        console.write(f"\nDebian GNU/Linux 13 {domain['name']} hvc0\n\n{domain['name']} login: " if installed else "")


def shutdown(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`xl shutdown [-w] DOMAIN`."""
    half()
    with opened(stage) as state:
        domain = find(state, words[-1])
        if domain is None:
            return Answer(1, err=f"{words[-1]} is an invalid domain identifier (rc=-6)")
        if state["orders"].get("shutdown") != "ignored" and domain["ends"] is None:
            domain["ends"] = time.time() + SHUTDOWN
    while "-w" in words[1:-1] and domain:
        time.sleep(0.02)
        with opened(stage) as state:
            domain = find(state, words[-1])
    return Answer(out=f"Shutting down domain {words[-1]}\n")


def destroy(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`xl destroy DOMAIN`: dying, then gone."""
    with opened(stage) as state:
        domain = find(state, words[-1])
        if domain is None:
            return Answer(1, err=f"{words[-1]} is an invalid domain identifier (rc=-6)")
        domain |= {"state": "-----d", "name": "(null)", "ends": None}
        number = domain["domid"]
    half()
    with opened(stage) as state:
        state["domains"] = [one for one in state["domains"] if one["domid"] != number]
    return Answer()
