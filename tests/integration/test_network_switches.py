"""`domu network apply` with bridges of Open vSwitch: what holds for Linux bridges, and a database that remembers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.cli import app
from builder.host.network.journal import Journal
from builder.host.network.look import look
from builder.host.run import run
from builder.xen.change import Seen
from builder.xen.network.places import INTERFACES, SYSCTLS, TRIAL_DROP_IN
from tests.netns import FAR4, FAR6, world, xen_scripts
from tests.netsite import DOM0, GUESTS, Machine, lay_site
from tests.switches import OpenVSwitch, open_vswitch

SWITCHED = (
    DOM0.replace("ports: [eth0]", "ports: [eth0], kind: openvswitch, vlan_aware: true")
    .replace("mode: nat,", "mode: nat, kind: openvswitch,")
    .replace("{name: routed", "{name: lan30, kind: openvswitch, ports: [eth1], mtu: 1400}\n  - {name: routed")
)
PLAIN = "antispoof: false, "
FEW = {
    "b1": GUESTS["b1"].replace("mode: bridge", f"{PLAIN}mode: bridge"),
    "n1": GUESTS["n1"].replace("mode: nat", "antispoof: false\n    mode: nat"),
    "t1": "nics: [{bridge: xenbr0, vlan: 7, antispoof: false, ipv4: {address: 10.7.0.2/24, gateway: 10.7.0.1}, ipv6: none}]\n",
}
OURS = {"lan30": ["eth1"], "natbr0": [], "xenbr0": ["eth0"]}
FOREIGN = {"theirs": ["spare"]}


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    with world(tmp_path) as made:
        made["dom0"].ip("link add eth1 type veth peer name eth1x")
        made["dom0"].ip("link add spare type veth peer name sparex")
        yield Machine(made, lay_site(tmp_path / "site", SWITCHED, FEW), tmp_path / "root", capsys)


@pytest.fixture
def switches(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenVSwitch]:
    """With a bridge and a port of somebody else's."""
    with open_vswitch(machine.dom0, tmp_path / "ovs") as made:
        monkeypatch.setenv("PATH", f"{made.tools}:{os.environ['PATH']}")
        xen_scripts(tmp_path)  # which look into folders of Xen's first
        shutil.copy(made.tools / "ovs-vsctl", tmp_path / "tools")
        made.vsctl("add-br", "theirs", "--", "add-port", "theirs", "spare", "tag=9")
        yield made


def seen(machine: Machine) -> Seen:
    with machine.dom0.inside():
        return look(run, ("net/ipv4/ip_forward",))


def journal(machine: Machine) -> Journal:
    return Journal(machine.root)


def until(condition: Callable[[], Any], patience: float = 20.0) -> None:
    """Until it holds; it is somebody else's process that sees to it."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)


def test_on_trial_confirmed_and_removed(machine: Machine, switches: OpenVSwitch) -> None:
    before = seen(machine)
    assert "+ovs-vsctl --may-exist add-port xenbr0 eth0" in machine.domu("apply", "--diff")
    assert seen(machine) == before
    machine.domu("apply")
    assert switches.tree() == OURS | FOREIGN
    assert machine.dom0.pings(FAR4)
    assert machine.dom0.pings(FAR6)
    assert switches.vsctl("get", "Port", "eth0", "trunks") == "[0, 7]"
    assert switches.vsctl("get", "Port", "spare", "tag") == "9"
    links = seen(machine).live.links
    assert (links["lan30"].mtu, links["natbr0"].mac) == (1400, "02:c7:9e:b5:92:89")
    assert machine.root.joinpath(TRIAL_DROP_IN.lstrip("/")).exists()
    machine.domu("confirm")
    assert not machine.root.joinpath(TRIAL_DROP_IN.lstrip("/")).parent.exists()
    assert (
        "ovs-vsctl --timeout=15 -- --may-exist add-br xenbr0"
        in machine.root.joinpath(INTERFACES.lstrip("/")).read_text()
    )
    assert "nothing to do" in machine.domu("apply")
    machine.domu("remove", "--yes")
    assert seen(machine) == before
    assert switches.tree() == FOREIGN


def test_unconfirmed_it_goes_back(machine: Machine, switches: OpenVSwitch) -> None:
    before = seen(machine)
    machine.domu("apply", "--confirm-within", "1")
    until(lambda: journal(machine).last())
    assert seen(machine) == before
    assert switches.tree() == FOREIGN
    assert machine.dom0.pings(FAR4)
    assert not list(machine.root.glob("etc/**/*.conf"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_the_transaction_everything_goes_back(machine: Machine, switches: OpenVSwitch, when: str) -> None:
    before = seen(machine)
    real = switches.tools / "ovs-vsctl"
    real.rename(switches.tools / "really")
    steps = ['case "$*" in *add-br*) kill -9 $PPID ;; esac', f'{switches.tools}/really "$@"']
    real.write_text("\n".join(["#!/bin/sh", *(steps if when == "before" else reversed(steps)), ""]))
    real.chmod(0o755)
    argv = [sys.executable, "-c", "from builder.cli import main; main()", "--site", str(machine.site)]
    words = [*argv, "network", "apply", "--root", str(machine.root)]
    assert machine.dom0.run(*words, check=False).returncode
    until(lambda: journal(machine).last())
    (switches.tools / "really").replace(real)
    assert seen(machine) == before
    assert switches.tree() == FOREIGN


def test_taken_back_while_the_daemon_is_dead_it_counts_when_that_runs_again(
    machine: Machine, switches: OpenVSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database and the addresses are as before; that nobody carries the database out is told."""
    monkeypatch.setattr("builder.host.network.act.TELL_SWITCHES", ("ovs-vsctl", "--timeout=1"))
    machine.domu("apply", "--confirm-within", "300")
    switches.stop("ovs-vswitchd")
    assert "cannot be looked at: ovs-vswitchd does not answer" in machine.domu("rollback", status=app.FINDINGS)
    for name in (*OURS, *FOREIGN):  # which the kernel's own data path does by itself
        machine.dom0.ip(f"link delete dev {name}")
    switches.start_daemon()
    assert switches.tree() == FOREIGN
    assert machine.dom0.pings(FAR4)


def stop(machine: Machine, switches: OpenVSwitch) -> None:
    """Both daemons, and with them what they had in the kernel."""
    switches.stop("ovs-vswitchd")
    switches.stop("ovsdb-server")
    for name in (*OURS, *FOREIGN):
        machine.dom0.ip(f"link delete dev {name}")


def start_anew(machine: Machine, switches: OpenVSwitch) -> None:
    """As a boot does: what was live ends, but for the database; the old files give eth0 its addresses again."""
    trial = journal(machine).trial()
    assert trial
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if b"watch" in words and trial.id.encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)
    until(lambda: not journal(machine).is_watched(trial.id))
    stop(machine, switches)
    path = journal(machine).folder / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another"}, indent=1))
    script = journal(machine).folder / "undo-openvswitch.sh"
    script.write_text(script.read_text().replace(trial.boot, "another"))
    for line in ("address add 192.0.2.2/24 dev eth0", "route add default via 192.0.2.1"):
        machine.dom0.ip(line)
    switches.start_database()


def before_the_daemon(machine: Machine) -> None:
    """What the drop-in has systemd run."""
    text = machine.root.joinpath(TRIAL_DROP_IN.lstrip("/")).read_text()
    (command,) = (line.partition("=-")[2] for line in text.splitlines() if line.startswith("ExecStartPre"))
    shell, script = command.split()
    machine.dom0.run(shell, f"{machine.root}{script}")


def test_started_anew_before_the_confirmation(machine: Machine, switches: OpenVSwitch) -> None:
    machine.domu("apply")
    start_anew(machine, switches)
    assert switches.vsctl("--no-wait", "list-br").split() == ["lan30", "natbr0", "theirs", "xenbr0"]
    before_the_daemon(machine)
    switches.start_daemon()
    assert switches.tree() == FOREIGN
    assert machine.dom0.pings(FAR4)
    shown = machine.domu("confirm", status=app.FINDINGS)
    assert "taken back: the machine was started anew before it was confirmed" in shown
    assert not list(machine.root.glob("etc/**/*.conf"))
    machine.apply()
    assert switches.tree() == OURS | FOREIGN


def test_started_anew_without_that_the_next_command_sees_to_it(machine: Machine, switches: OpenVSwitch) -> None:
    machine.domu("apply")
    start_anew(machine, switches)
    switches.start_daemon()
    assert switches.tree() == OURS | FOREIGN
    machine.domu("confirm", status=app.FINDINGS)
    assert switches.tree() == FOREIGN
    assert machine.dom0.pings(FAR4)


def test_after_a_boot_there_is_nothing_to_do(machine: Machine, switches: OpenVSwitch) -> None:
    """The database has the bridges, ifupdown their addresses, from the file that was confirmed."""
    machine.apply()
    stop(machine, switches)
    switches.start_database()
    switches.start_daemon()
    dom0, root = machine.dom0, machine.root
    (root / "ifstate").mkdir()
    # ifupdown has a PATH of its own, and would find the machine's
    written = (root / INTERFACES.lstrip("/")).read_text()
    (root / "interfaces").write_text(written.replace("ovs-vsctl", str(switches.tools / "ovs-vsctl")))
    places = ("--interfaces", root / "interfaces", "--state-dir", root / "ifstate")
    done = dom0.run("ifup", "--all", *places, check=False)
    assert not done.returncode, done.stderr
    dom0.run("sysctl", "--quiet", "--load", root / SYSCTLS.lstrip("/"))
    assert dom0.pings(FAR4)
    assert "nothing to do" in machine.domu("apply")


def test_in_the_same_boot_or_once_confirmed_nothing_is_taken_back(machine: Machine, switches: OpenVSwitch) -> None:
    """As when ovs-vswitchd alone is started anew, or the machine is in the midst of a confirmation."""
    machine.domu("apply")
    before_the_daemon(machine)
    assert switches.tree() == OURS | FOREIGN
    path = journal(machine).folder / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "phase": "confirmed"}, indent=1))
    script = journal(machine).folder / "undo-openvswitch.sh"
    script.write_text(script.read_text().replace(json.loads(path.read_text())["boot"], "another"))
    before_the_daemon(machine)
    assert switches.tree() == OURS | FOREIGN
    machine.domu("confirm")


def test_guests_reach_the_world_and_stay_plugged_in(machine: Machine, switches: OpenVSwitch) -> None:
    """By Xen's own script, which notes whose vif it is; a removal that is taken back plugs them in again."""
    machine.apply()
    machine.start("b1", "n1", "t1")
    assert machine.world["b1"].pings(FAR4)
    assert machine.world["n1"].pings(FAR4)
    assert machine.world["t1"].gets_nothing("192.0.2.2")
    before = seen(machine)
    assert switches.vsctl("get", "Port", "t1.0", "tag") == "7"
    machine.domu("remove")
    assert switches.tree() == FOREIGN
    machine.domu("rollback")
    assert seen(machine) == before
    assert machine.world["b1"].pings(FAR4)
    machine.domu("remove", "--yes")
    assert switches.tree() == FOREIGN


def test_a_network_that_is_no_longer_wanted_goes_and_comes_back(machine: Machine, switches: OpenVSwitch) -> None:
    machine.apply()
    before = seen(machine)
    lay_site(machine.site, "".join(line for line in SWITCHED.splitlines(keepends=True) if "lan30" not in line), FEW)
    switches.vsctl("add-port", "lan30", "sparex")
    assert "lan30 would go, and has ports that domu did not plug in: sparex" in machine.domu(
        "apply", status=app.FINDINGS
    )
    switches.vsctl("del-port", "sparex")
    machine.domu("apply")
    assert "lan30" not in switches.tree()
    machine.domu("rollback")
    assert seen(machine) == before


def test_what_others_plug_in_stays(machine: Machine, switches: OpenVSwitch) -> None:
    machine.apply()
    switches.vsctl("add-port", "xenbr0", "sparex", "tag=5")
    lay_site(machine.site, SWITCHED.replace("mtu: 1400", "mtu: 1300"), FEW)
    machine.apply()
    assert seen(machine).live.links["lan30"].mtu == 1300
    assert switches.tree()["xenbr0"] == ["eth0", "sparex"]
    assert switches.vsctl("get", "Port", "sparex", "tag") == "5"


def test_another_kind_for_a_bridge_of_ours_is_refused(machine: Machine, switches: OpenVSwitch) -> None:
    machine.apply()
    lay_site(machine.site, DOM0.replace("{name: xenbr0", "{name: xenbr0, vlan_aware: true"), FEW)
    shown = machine.domu("apply", status=app.FINDINGS)
    assert "xenbr0 is a bridge that domu made, of another kind than linux" in shown
    assert "first: domu network remove" in shown


def test_open_vswitch_at_rest_or_missing_is_told(
    machine: Machine, switches: OpenVSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(machine)
    switches.stop("ovs-vswitchd")
    assert "cannot be looked at: ovs-vswitchd does not answer" in machine.domu("apply", status=app.FINDINGS)
    switches.stop("ovsdb-server")
    shown = machine.domu("apply", status=app.FINDINGS)
    assert "N403: lan30, natbr0, xenbr0 cannot be looked at: ovs-vsctl" in shown
    assert "systemctl start openvswitch-switch" in shown
    monkeypatch.setattr("builder.host.network.look.shutil.which", lambda _program: None)
    assert "apt-get install openvswitch-switch" in machine.domu("apply", status=app.FINDINGS)
    assert seen(machine).live.links["eth0"] == before.live.links["eth0"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["del-port", "spare", "--", "add-port", "theirs", "eth1"], "eth1 is a port of theirs"),
        (["add-br", "lan30", "--", "add-port", "lan30", "sparex"], "with other ports: sparex"),
    ],
    ids=["a port of another bridge", "a bridge with another port"],
)
def test_what_is_somebody_elses_is_refused(
    machine: Machine, switches: OpenVSwitch, words: list[str], told: str
) -> None:
    switches.vsctl(*words)
    before = seen(machine)
    assert told in machine.domu("apply", status=app.FINDINGS)
    assert seen(machine) == before
