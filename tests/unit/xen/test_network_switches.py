"""Open vSwitch's database: how it is read, and the one transaction from a state to another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from builder.errors import BuilderError
from builder.host.network.act import reach
from builder.host.run import Completed
from builder.profile.dom0 import Dom0
from builder.xen.live import Link, Live
from builder.xen.live_steps import steps
from builder.xen.live_switches import Switch, SwitchPort, boot_script, commands_of, parse_switches, transaction
from builder.xen.live_target import Past, target_of

# `ovs-vsctl` 3.1.0, of a bridge with a port, a guest's vif and one that does not work (2026-11-23); ids shortened
ANSWER = "\n".join(
    json.dumps(table)
    for table in (
        {
            "data": [
                [
                    "ovs0",
                    ["set", [["uuid", "p0"], ["uuid", "p1"], ["uuid", "p2"], ["uuid", "p3"]]],
                    ["map", [["hwaddr", "02:00:00:00:00:07"]]],
                ],
                ["bare", ["uuid", "p4"], ["map", []]],
            ],
            "headings": ["name", "ports", "other_config"],
        },
        {
            "data": [
                [["uuid", "p0"], "ovs0", ["set", []], ["set", []], ["uuid", "i0"]],
                [["uuid", "p1"], "eth1", ["set", []], ["set", [0, 7]], ["uuid", "i1"]],
                [["uuid", "p2"], "web1.0", 7, ["set", []], ["uuid", "i2"]],
                [["uuid", "p3"], "nosuch0", ["set", []], 9, ["uuid", "i3"]],
                [["uuid", "p4"], "bare", ["set", []], ["set", []], ["uuid", "i4"]],
            ],
            "headings": ["_uuid", "name", "tag", "trunks", "interfaces"],
        },
        {
            "data": [
                [["uuid", "i0"], "ovs0", 1400, ["set", []], ["map", []]],
                [["uuid", "i1"], "eth1", ["set", []], ["set", []], ["map", []]],
                [["uuid", "i2"], "web1.0", ["set", []], ["set", []], ["map", [["xen-vm-uuid", "u"]]]],
                [["uuid", "i3"], "nosuch0", ["set", []], "could not open network device nosuch0", ["map", []]],
                [["uuid", "i4"], "bare", ["set", []], ["set", []], ["map", []]],
            ],
            "headings": ["_uuid", "name", "mtu_request", "error", "external_ids"],
        },
    )
)
OVS0 = Switch(
    "ovs0",
    "02:00:00:00:00:07",
    1400,
    (
        SwitchPort("eth1", trunks=(0, 7)),
        SwitchPort("nosuch0", trunks=(9,)),
        SwitchPort("web1.0", 7, labels=(("xen-vm-uuid", "u"),)),
    ),
)
BARE = Switch("bare")


def test_what_ovs_vsctl_tells() -> None:
    found = parse_switches(ANSWER)
    assert found == {"ovs0": OVS0, "bare": BARE}
    assert [port.error for port in found["ovs0"].ports] == ["", "could not open network device nosuch0", ""]


def test_what_open_vswitch_could_not_bring_about_is_a_failed_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ovs-vsctl` ends with 0 all the same; only ports of ours count."""

    def runner(argv: Sequence[str], **_more: object) -> Completed:
        return Completed(tuple(argv), 0, (ANSWER if argv[0] == "ovs-vsctl" else "[]").encode(), b"")

    monkeypatch.setattr("builder.host.network.look.shutil.which", lambda program: f"/usr/bin/{program}")
    target = Live({}, frozenset(), switches={"ovs0": OVS0})
    reach(runner, target, frozenset({"ovs0", "eth1"}))
    with pytest.raises(BuilderError, match="cannot bring ovs0 about: could not open network device nosuch0"):
        reach(runner, target, frozenset({"ovs0", "eth1", "nosuch0"}))


@pytest.mark.parametrize(
    "text", ["no json", "{}\n{}\n{}", ANSWER.partition("\n")[0], ANSWER.replace('"p1"', '"p9"', 1)]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BuilderError, match="does not understand"):
        parse_switches(text)


def test_a_journal_remembers_them() -> None:
    live = Live({}, frozenset(), switches={"ovs0": OVS0, "bare": BARE})
    assert Live.from_data(json.loads(json.dumps(live.to_data()))) == live


@pytest.mark.parametrize(
    ("now", "target", "commands"),
    [
        ([BARE], [BARE], []),
        ([], [BARE], ["--may-exist add-br bare"]),
        ([BARE], [], ["--if-exists del-br bare"]),
        ([], [replace(BARE, mac="02::1")], ["--may-exist add-br bare", "set Bridge bare other-config:hwaddr=02::1"]),
        ([replace(BARE, mac="02::1")], [BARE], ["remove Bridge bare other-config hwaddr"]),
        ([replace(BARE, mtu=1400)], [BARE], ["clear Interface bare mtu_request"]),
        ([BARE], [replace(BARE, ports=(SwitchPort("eth1"),))], ["--may-exist add-port bare eth1"]),
        ([BARE], [replace(BARE, ports=(SwitchPort("foreign"),))], []),
        ([replace(BARE, ports=(SwitchPort("eth1"), SwitchPort("foreign")))], [BARE], ["--if-exists del-port bare eth1"]),
        (
            [replace(BARE, ports=(SwitchPort("eth1", 4),))],
            [replace(BARE, ports=(SwitchPort("eth1", trunks=(0, 7)),))],
            ["clear Port eth1 tag", "set Port eth1 trunks=0,7"],
        ),
    ],
    ids=["the same", "made", "gone", "with a MAC", "without its MAC", "without its MTU", "plugged in", "not ours to plug in", "let go", "another VLAN"],
)  # fmt: skip
def test_what_leads_from_one_to_another(now: list[Switch], target: list[Switch], commands: list[str]) -> None:
    words = transaction({one.name: one for one in now}, {one.name: one for one in target}, {"bare", "eth1"})
    assert list(commands_of(words)) == commands


def test_with_a_bridge_its_guests_come_back_as_far_as_they_are_there() -> None:
    words = transaction({}, {"ovs0": OVS0}, {"ovs0", "eth1"}, {"eth1", "web1.0"})
    assert list(commands_of(words))[3:] == [
        "--may-exist add-port ovs0 eth1",
        "set Port eth1 trunks=0,7",
        "--may-exist add-port ovs0 web1.0",
        "set Port web1.0 tag=7",
        """set Interface web1.0 'external-ids:"xen-vm-uuid"="u"'""",
    ]


def test_nothing_of_others_is_named() -> None:
    assert transaction({"ovs0": OVS0}, {}, {"bare"}) == ()
    assert transaction({}, {"ovs0": OVS0}, {"bare"}) == ()


def test_the_script_for_the_next_boot_quotes() -> None:
    script = boot_script(("--", "set", "Interface", "a", 'external-ids:"x"="it\'s; reboot"'), "1-2")
    assert script.splitlines()[-1].endswith("""-- set Interface a 'external-ids:"x"="it'"'"'s; reboot"'""")
    assert '"$(cat /proc/sys/kernel/random/boot_id)" != 1-2' in script


SWITCHED = Dom0.model_validate(
    {
        "addresses": ["192.0.2.2/24"],
        "networks": [{"name": "ovs0", "kind": "openvswitch", "ports": ["eth1"], "vlan": 30}],
    }
)


def test_a_vlan_is_made_before_it_is_plugged_in_and_goes_after() -> None:
    """Not one kernel of ours for tests has 802.1Q, so this is by the steps alone."""
    now = Live({name: Link(name, mac="52:54:00:00:00:01", mtu=1500) for name in ("eth0", "eth1")}, frozenset())
    target = target_of(SWITCHED, (), now, Past())
    assert target.scope == {"ovs0", "eth1", "eth1.30"}
    assert steps(now, target.live, target.scope).first == ("link add link eth1 name eth1.30 type vlan id 30",)
    links = {**target.live.links, **now.links}
    there = Live(links, frozenset(), switches=target.live.switches)
    assert steps(there, target.live, target.scope).commands == ()
    back = target_of(Dom0(), (), there, Past(now.only(target.scope), target.live))
    todo = steps(there, back.live, back.scope).commands
    assert todo == ("ovs-vsctl --if-exists del-br ovs0", "ip link delete dev eth1.30")


def test_from_a_bridge_of_the_kernel_a_port_is_let_go_first() -> None:
    links = {"eth0": Link("eth0"), "eth1": Link("eth1", master="br7"), "br7": Link("br7", "bridge")}
    plain = SWITCHED.model_copy(update={"networks": (SWITCHED.networks[0].model_copy(update={"vlan": None}),)})
    now = Live(links, frozenset())
    target = target_of(plain, (), now, Past())
    assert steps(now, target.live, target.scope).first == ("link set dev eth1 nomaster",)
    there = Live({**links, **target.live.links}, frozenset(), switches=target.live.switches)
    back = steps(there, now.only(target.scope), target.scope)
    assert back.commands == ("ovs-vsctl --if-exists del-br ovs0", "ip link set dev eth1 master br7")
