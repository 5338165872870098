"""The texts of a network plan, read by those who will read them: nft, iptables, ifupdown, networkd, systemd, sh."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from builder.xen.config import render_run_config
from builder.xen.network.iptables import render_iptables
from builder.xen.network.places import HOOK, INTERFACES, NETWORKD, SYSCTLS, UNIT, UNITS
from builder.xen.network.plan import NetworkPlan, plan_network
from tests.networks import DOM0, FLEETS, NICS, plan, site
from tests.xl import find_xl

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
NETWORKD_PROGRAM = Path("/lib/systemd/systemd-networkd")
SYSCTL_PROGRAM = "/lib/systemd/systemd-sysctl"
FOREIGN = (
    "table inet foreign {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n\t}\n}\n"
)


def needs(program: str, package: str) -> str:
    """The program's path; skips, and says so, where it is not installed."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return found


def apart(script: str, *arguments: str | Path, mounts: bool = False) -> subprocess.CompletedProcess[str]:
    """A shell script in a network namespace of its own, with a /sys that shows it."""
    argv = ["unshare", "--net", *(["--mount"] if mounts else []), "sh", "-e", "-c", script, "sh", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def sound(done: subprocess.CompletedProcess[str], text: str = "") -> str:
    assert done.returncode == 0, f"{done.stderr}\n{text}"
    assert done.stderr == ""
    return done.stdout


def file_of(made: NetworkPlan, path: str) -> str:
    return next(one.text for one in made.files if one.path == path)


def lay(made: NetworkPlan, folder: Path, below: str) -> Path:
    """The plan's files below a folder of dom0's, in `folder`."""
    for one in made.files:
        if one.path.startswith(f"{below}/"):
            (folder / Path(one.path).name).write_text(one.text)
    return folder


@ROOT_ONLY
@given(nics=FLEETS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nft_takes_the_rules_of_any_guests(nics: dict[str, list[dict[str, Any]]]) -> None:
    nft = needs("nft", "nftables")
    made = plan(nics=nics)
    done = subprocess.run(
        ["unshare", "--net", nft, "--check", "--file", "-"],
        input=made.ruleset,
        capture_output=True,
        text=True,
        check=False,
    )
    sound(done, made.ruleset)


@given(nics=FLEETS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_guests_in_any_order_give_the_same_plan(nics: dict[str, list[dict[str, Any]]]) -> None:
    loaded = site(nics=nics)
    assert [str(one) for one in loaded.findings if one.severity.word == "error"] == []
    guests = list(loaded.guests)
    once = plan_network(loaded.dom0, guests)
    assert plan_network(loaded.dom0, guests[::-1]) == once


@ROOT_ONLY
def test_rules_are_replaced_whole_and_no_other_table_is_touched(tmp_path: Path) -> None:
    nft = needs("nft", "nftables")
    rules, fewer, foreign = tmp_path / "rules", tmp_path / "fewer", tmp_path / "foreign"
    rules.write_text(plan().ruleset)
    fewer.write_text(plan(nics={"lan2": NICS["lan2"]}).ruleset)
    foreign.write_text(FOREIGN)
    script = """
        "$1" --file "$2"; "$1" --file "$3"; "$1" list ruleset >"$5/once"
        "$1" --file "$3"; "$1" list ruleset >"$5/twice"
        "$1" --file "$4"; "$1" list ruleset
    """
    left = sound(apart(script, nft, foreign, rules, fewer, tmp_path))
    assert (tmp_path / "once").read_text() == (tmp_path / "twice").read_text()
    assert '"web1.0"' in (tmp_path / "once").read_text()
    assert '"web1.0"' not in left
    assert '"lan2.0"' in left
    assert FOREIGN in left


@ROOT_ONLY
@given(nics=FLEETS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_iptables_takes_the_rules_of_any_guests_twice(nics: dict[str, list[dict[str, Any]]]) -> None:
    needs("iptables", "iptables")
    made = plan(nics=nics)
    script = render_iptables(made.dom0, made.vifs)
    show = 'iptables-save | grep -v "^[#:]"; ip6tables-save | grep -v "^[#:]"'
    once = sound(apart(f"{script}\n{show}"), script)
    assert sound(apart(f"{script}\n{script}\n{show}"), script) == once
    assert once.count("-A FORWARD -j DOMU-FORWARD") == 2


@ROOT_ONLY
def test_iptables_keeps_rules_of_others() -> None:
    needs("iptables", "iptables")
    made = plan()
    script = f"iptables -A FORWARD -s 198.51.100.0/24 -j DROP\n{render_iptables(made.dom0, made.vifs)}\niptables-save"
    assert "-A FORWARD -s 198.51.100.0/24 -j DROP" in sound(apart(script))


def interfaces(ifquery: str, file: Path, name: str) -> list[str]:
    done = subprocess.run([ifquery, "--interfaces", file, name], capture_output=True, text=True, check=False)
    return sound(done).splitlines()


def test_ifupdown_reads_what_is_meant(tmp_path: Path) -> None:
    ifquery = needs("ifquery", "ifupdown")
    file = tmp_path / "interfaces"
    file.write_text(file_of(plan(), INTERFACES))
    done = subprocess.run([ifquery, "-i", file, "--list", "-a"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lo", "xenbr0", "natbr0", "trunk"]
    bridge = interfaces(ifquery, file, "xenbr0")
    assert [line for line in bridge if line.startswith(("address", "gateway"))] == [
        "address: 192.0.2.2",
        "gateway: 192.0.2.1",
        "address: 2001:db8::2",
        "gateway: fe80::1",
        "address: 203.0.113.10",
        "address: 203.0.113.11",
        "address: 2001:db8:51::5",
    ]
    assert [line for line in interfaces(ifquery, file, "natbr0") if line.startswith("address")] == [
        "address: 10.0.0.1",
        "address: fd00::1",
    ]


@ROOT_ONLY
def test_ifupdown_does_what_the_commands_do(tmp_path: Path) -> None:
    """Interfaces after `ifup -a` on a boot, and after the commands on a dom0 that runs, are the same."""
    ifup = needs("ifup", "ifupdown")
    dom0 = {**DOM0, "networks": [one for one in DOM0["networks"] if one["name"] != "trunk"]}  # kernels without VLANs
    made = plan(dom0, {name: nics for name, nics in NICS.items() if name != "tagged1"})
    file = tmp_path / "interfaces"
    file.write_text(file_of(made, INTERFACES))
    begin = """
        mount --make-rprivate /; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run
        mkdir -p /run/network; ip link set lo up
        ip link add eth0 type veth peer name far; ip link set far up
    """
    show = "sleep 0.1; ip -j address show; echo; ip -j route; echo; ip -j -6 route show default"
    booted = apart(f'{begin} "$1" --all --interfaces "$2" --force >/dev/null; {show}', ifup, file, mounts=True)
    links = [one.argv for one in made.commands if one.argv[0] == "ip"]
    lines = "\n".join(" ".join(argv) for argv in links)
    own = "ip link set eth0 up; ip address add 192.0.2.2/24 dev eth0; ip route add default via 192.0.2.1"
    live = apart(f"{begin} {own}\n{lines}\n{show}", mounts=True)
    assert state(booted) == state(live)
    assert state(live)["xenbr0"] == {
        "192.0.2.2/24",
        "203.0.113.10/32",
        "203.0.113.11/32",
        "2001:db8::2/64",
        "2001:db8:51::5/128",
        "default 192.0.2.1",
        "default fe80::1",
    }
    assert state(live)["eth0"] == {"in xenbr0"}


def state(done: subprocess.CompletedProcess[str]) -> dict[str, set[str]]:
    """Of each interface, addresses (but link-local ones), its bridge and default routes."""
    assert done.returncode == 0, done.stderr
    links, routes, routes6 = (json.loads(part or "[]") for part in done.stdout.split("\n\n")[:3])
    found: dict[str, set[str]] = {}
    for link in links:
        own = found.setdefault(link["ifname"], set())
        own |= {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "link"}
        own |= {f"in {link['master']}"} if "master" in link else set()
    for route in [*routes, *routes6]:
        if route["dst"] == "default":
            found[route["dev"]].add(f"default {route['gateway']}")
    return found


@ROOT_ONLY
def test_networkd_itself_makes_the_interfaces(tmp_path: Path) -> None:
    """The daemon runs in namespaces of its own, until the addresses are there; it has nothing to say of the files."""
    if not NETWORKD_PROGRAM.exists():
        pytest.skip("systemd-networkd is not installed: apt-get install systemd")
    dom0 = {**DOM0, "network_manager": "networkd", "networks": DOM0["networks"][:3]}  # kernels without VLANs
    made = plan(dom0, {name: nics for name, nics in NICS.items() if name != "tagged1"})
    lay(made, tmp_path, NETWORKD)
    script = """
        mount --make-rprivate /; mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/network
        install -d -o systemd-network -g systemd-network /run/systemd/netif
        cp "$1"/* /run/systemd/network; mount -t tmpfs -o ro tmpfs /etc/systemd/network
        mount -t sysfs -o ro sysfs /sys
        ip link add eth0 type veth peer name far; ip link set far up; ip link set lo up
        env SYSTEMD_LOG_TARGET=console "$2" >"$1/log" 2>&1 & daemon=$!
        for turn in $(seq 600); do
            if ip -6 route show default | grep -q xenbr0 && ip -4 address | grep -q 10.0.0.1/24; then break; fi
            sleep 0.05
        done
        kill "$daemon"
        ip -j address show; echo; ip -j route; echo; ip -j -6 route show default
    """
    made_by_networkd = state(apart(script, tmp_path, NETWORKD_PROGRAM, mounts=True))
    log = (tmp_path / "log").read_text()
    assert "50-domu-" not in "".join(line for line in log.splitlines() if "Configuring with" not in line), log
    assert made_by_networkd["eth0"] == {"in xenbr0"}
    assert made_by_networkd["natbr0"] == {"10.0.0.1/24", "fd00::1/64"}
    assert {"192.0.2.2/24", "203.0.113.10/32", "default 192.0.2.1", "default fe80::1"} <= made_by_networkd["xenbr0"]


def test_networkd_has_one_file_for_an_interface_of_two_vlans() -> None:
    networks = [{"name": f"lan{tag}", "ports": ["eth1"], "vlan": tag} for tag in (100, 200)]
    made = plan({**DOM0, "network_manager": "networkd", "networks": networks}, {})
    text = file_of(made, f"{NETWORKD}/50-domu-eth1.network")
    assert [line for line in text.splitlines() if line.startswith("VLAN=")] == ["VLAN=eth1.100", "VLAN=eth1.200"]
    assert "eth1" in made.owned


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path: Path) -> None:
    analyze = needs("systemd-analyze", "systemd")
    file = tmp_path / UNIT
    file.write_text(file_of(plan(), f"{UNITS}/{UNIT}"))
    done = subprocess.run([analyze, "verify", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@ROOT_ONLY
def test_systemd_writes_every_kernel_setting(tmp_path: Path) -> None:
    """As on a boot, once the bridges are there; what is a module's to have is passed over in silence."""
    if not Path(SYSCTL_PROGRAM).exists():
        pytest.skip("systemd-sysctl is not installed: apt-get install systemd")
    made = plan()
    file = tmp_path / "60-domu.conf"
    file.write_text(file_of(made, SYSCTLS))
    wanted = [one for one in made.sysctls if not one.optional]
    bridges = "ip link add xenbr0 type bridge; ip link add natbr0 type bridge"
    reads = "; ".join(f"cat /proc/sys/{one.name}" for one in wanted)
    done = apart(f'{bridges}; "$1" "$2"; {reads}', SYSCTL_PROGRAM, file)
    assert sound(done).split() == [one.value for one in wanted]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_shells_can_read_the_hook(shell: str, tmp_path: Path) -> None:
    file = tmp_path / "domu.hook"
    for text in (file_of(plan(), HOOK), file_of(plan(nics={}), HOOK)):
        file.write_text(text)
        done = subprocess.run([shell, "-n", file], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def hook_says(made: NetworkPlan, folder: Path, setting: Sequence[str]) -> list[str]:
    """What the hook runs when a script sources it; `ip` and `bridge` are stand-ins that write down their words."""
    (folder / "hook").write_text(file_of(made, HOOK))
    words = 'ip() { echo ip "$@"; }\nbridge() { echo bridge "$@"; }\n'
    script = f"set -e\n{words}{'; '.join(setting)}\n. {folder}/hook\n"
    done = subprocess.run(
        ["bash", "-c", script, "/etc/xen/scripts/vif-bridge"], capture_output=True, text=True, check=False
    )
    return sound(done).splitlines()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param(["dev=lan1.0", "command=online"], [], id="a bridged vif needs nothing more"),
        pytest.param(["dev=stranger", "command=online"], [], id="another's vif"),
        pytest.param(["dev=tagged1.0", "command=online", "type_if=tap"], [], id="the emulated twin"),
        pytest.param(
            ["dev=tagged1.0", "command=online"],
            ["bridge vlan delete dev tagged1.0 vid 1", "bridge vlan add dev tagged1.0 vid 7 pvid untagged"],
            id="a VLAN",
        ),
        pytest.param(
            ["dev=edge1.0", "command=offline", "type_if=vif"],
            [
                "ip -4 neighbour delete proxy 203.0.113.1 dev xenbr0",
                "ip -6 neighbour delete proxy 2001:db8:7::1 dev xenbr0",
            ],
            id="a routed vif goes",
        ),
    ],
)
def test_the_hook_does_what_a_vif_needs(setting: list[str], expected: list[str], tmp_path: Path) -> None:
    assert hook_says(plan(), tmp_path, setting) == expected


HOSTILE_NAMES = ["drop", "accept", "0x10", "1e3", "a--b", "9", "inet", "esac", "vmap", "ip6"]


@ROOT_ONLY
def test_names_that_mean_something_elsewhere_are_names(tmp_path: Path) -> None:
    """Guests and bridges called like words of the languages that the plan is written in."""
    nft, ifquery = needs("nft", "nftables"), needs("ifquery", "ifupdown")
    bridges = [*HOSTILE_NAMES, "a_b-c", "AUTO", "iface", "up"]
    dom0 = {"outer": "meta", "networks": [{"name": name, "ports": [f"p{name}"]} for name in bridges]}
    nics = {name: [{"bridge": bridge, "isolated": True}] for name, bridge in zip(HOSTILE_NAMES, bridges, strict=False)}
    made = plan(dom0, nics)
    (tmp_path / "rules").write_text(made.ruleset)
    sound(apart('"$1" --check --file "$2"', nft, tmp_path / "rules"), made.ruleset)
    (tmp_path / "interfaces").write_text(file_of(made, INTERFACES))
    listed = subprocess.run(
        [ifquery, "-i", tmp_path / "interfaces", "--list", "-a"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["lo", *bridges]
    for name in HOSTILE_NAMES:
        assert hook_says(made, tmp_path, [f"dev={name}.0", "command=online"]) == []


def test_xl_reads_what_attaches_a_vif(tmp_path: Path) -> None:
    """Bridges of Linux and of Open vSwitch with a VLAN, NAT, and a routed one with the device that it leaves by."""
    xl = find_xl(tmp_path)
    switch = {"name": "ovs0", "kind": "openvswitch", "ports": ["eth2"]}
    dom0 = {**DOM0, "networks": [*DOM0["networks"], switch]}
    loaded = site(dom0, {**NICS, "switched1": [{"bridge": "ovs0", "vlan": 9}]})
    seen = {}
    for guest in loaded.guests:
        (first, *_) = xl.parse(render_run_config(guest, loaded.dom0))["nics"]
        keys = ("bridge", "script", "ip", "gatewaydev", "ifname")
        seen[guest.name] = tuple(first.get(key) for key in keys)
    assert {name: seen[name] for name in ("lan1", "edge1", "web1", "tagged1", "switched1")} == {
        "lan1": ("xenbr0", None, None, None, "lan1.0"),
        "edge1": (None, "vif-route", "203.0.113.1", "xenbr0", "edge1.0"),
        "web1": ("natbr0", None, None, None, "web1.0"),
        "tagged1": ("trunk", None, None, None, "tagged1.0"),
        "switched1": ("ovs0.9", "vif-openvswitch", None, None, "switched1.0"),
    }
