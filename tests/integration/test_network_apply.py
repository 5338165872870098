"""`domu network apply` in a namespace: trial, confirmation, the way back, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.cli import app
from builder.host.network.journal import Journal
from builder.host.network.look import look
from builder.host.run import Completed, run, start_detached
from builder.host.site import Site
from builder.progress import Silence
from builder.workflows.network_apply import Wish, apply, hands_at
from builder.xen.change import Seen
from builder.xen.network.places import HOOK, RULES
from tests.netns import EVERYWHERE, FAR4, FAR6, Namespace, world
from tests.netsite import DOM0, GUESTS, Machine, lay_site

SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/send_redirects",
           "net/bridge/bridge-nf-call-iptables")  # fmt: skip
FEW = {name: GUESTS[name] for name in ("b1", "n1")}
# dom0 gets another address than the provider gave it, so that nobody reaches it any more
CUT_OFF = DOM0.replace("192.0.2.2/24", "192.0.77.2/32")
FOREIGN = """\
table inet filter {
    set known {
        type ipv4_addr
        elements = { 198.51.100.9 }
    }
    chain input {
        type filter hook input priority filter; policy accept;
        tcp dport 2222 counter drop
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state invalid counter drop
    }
}
table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "tun0" masquerade
    }
}
"""


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    with world(tmp_path) as made:
        yield Machine(made, lay_site(tmp_path / "site", guests=FEW), tmp_path / "root", capsys)


def seen(machine: Machine) -> Seen:
    with machine.dom0.inside():
        return look(run, SYSCTLS)


def journal(machine: Machine) -> Journal:
    return Journal(machine.root)


def until(condition: Callable[[], Any], patience: float = 20.0) -> None:
    """Until it holds; it is somebody else's process that sees to it."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)


def etc(machine: Machine) -> list[str]:
    """Files that were written outside of the journal."""
    found = [path for path in machine.root.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(machine.root)) for path in found if "var/lib/domu" not in str(path))


def process(machine: Machine, *words: str, **environment: str) -> list[str]:
    """The command line of a real `domu` in dom0."""
    argv = [sys.executable, "-c", "from builder.cli import main; main()", "--site", str(machine.site), "network"]
    more = [f"{name}={value}" for name, value in environment.items()]
    return ["ip", "netns", "exec", machine.dom0.name, "env", *more, *argv, *words, "--root", str(machine.root)]


def test_confirmed_in_time_it_stays(machine: Machine) -> None:
    assert "make it last within 60 s" in machine.domu("apply")
    assert machine.dom0.pings(FAR4)
    assert etc(machine) == []  # so the next boot would be as ever
    assert "confirmed" in machine.domu("confirm")
    assert RULES.lstrip("/") in etc(machine)
    assert "nothing to do" in machine.domu("apply")
    until(lambda: not any(b"network\0watch" in line for line in command_lines(machine)))


def command_lines(machine: Machine) -> list[bytes]:
    """Of all processes that are about this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return [line for line in found if str(machine.root).encode() in line]


def test_unconfirmed_it_goes_back(machine: Machine) -> None:
    before = seen(machine)
    machine.domu("apply", "--confirm-within", "1")
    assert seen(machine) != before
    until(lambda: journal(machine).last())
    assert seen(machine) == before
    assert etc(machine) == []
    assert "was taken back: it was not confirmed within 1 s" in machine.domu("confirm", status=app.FINDINGS)


def test_taken_back_when_asked(machine: Machine) -> None:
    before = seen(machine)
    machine.domu("apply")
    assert "taken back: as asked" in machine.domu("rollback")
    assert seen(machine) == before


@pytest.mark.parametrize("ending", ["hangup", "silence"])
def test_who_is_cut_off_by_the_change_gets_the_machine_back(machine: Machine, ending: str) -> None:
    """A session from the client, and `domu` on its terminal: the line hangs, then works again, the same one."""
    lay_site(machine.site, CUT_OFF, FEW)
    with machine.dom0.serving("192.0.2.2", 22), machine.world["client"].call("192.0.2.2", 22) as line:
        terminal, theirs = pty.openpty()
        argv = ["setsid", "--ctty", "--wait", *process(machine, "apply", "--confirm-within", "3")]
        domu = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        until(lambda: (trial := journal(machine).trial()) and trial.phase == "waiting")
        assert machine.world["client"].gets_nothing("192.0.2.2")
        if ending == "hangup":
            os.close(terminal)
        domu.wait(timeout=20)
        until(lambda: journal(machine).last())
        if ending == "silence":
            os.close(terminal)
        assert machine.world["client"].pings("192.0.2.2")
        assert line.answers()


def test_yes_confirms_what_keeps_the_gateways(machine: Machine) -> None:
    assert machine.apply()["outcome"] == "confirmed"
    assert machine.dom0.pings(FAR6)


def test_yes_takes_back_what_loses_them(machine: Machine) -> None:
    before = seen(machine)
    lay_site(machine.site, CUT_OFF, FEW)
    shown = machine.domu("apply", "--yes", status=app.FINDINGS)
    assert "taken back: 192.0.2.1 did not answer any more" in shown
    assert seen(machine) == before
    assert etc(machine) == []


def test_yes_counts_who_answers_arp_alone(machine: Machine) -> None:
    machine.world["router"].sysctl(net__ipv4__icmp_echo_ignore_all="1", net__ipv6__icmp__echo_ignore_all="1")
    assert machine.apply()["outcome"] == "confirmed"


def test_yes_without_anybody_to_ask_is_refused(machine: Machine) -> None:
    machine.dom0.ip("route delete default")
    machine.dom0.ip("-6 route delete default")
    assert "--check HOST:PORT" in machine.domu("apply", "--yes", status=app.FINDINGS)
    with machine.world["router"].serving("192.0.2.1", 3142):
        machine.domu("apply", "--yes", "--check", "192.0.2.1:3142")


def test_what_does_not_answer_before_is_not_asked_for_afterwards(machine: Machine) -> None:
    shown = machine.domu("apply", "--yes", "--check", "192.0.2.1:3142", status=app.FINDINGS)
    assert "192.0.2.1 port 3142 does not answer even now" in shown
    assert journal(machine).trial() is None


@pytest.mark.parametrize("option", ["--diff", "--dry-run"])
def test_showing_changes_nothing(machine: Machine, option: str) -> None:
    before = seen(machine)
    shown = machine.domu("apply", option)
    assert f"+++ {RULES}\n" in shown
    assert "+net/ipv4/ip_forward = 1" in shown
    assert "+ip link set dev eth0 master xenbr0" in shown
    assert seen(machine) == before
    assert not (machine.root / "var").exists()


def test_a_session_survives_the_move_to_the_bridge(machine: Machine) -> None:
    with machine.dom0.serving("192.0.2.2", 22), machine.world["client"].call("192.0.2.2", 22) as line:
        machine.domu("apply")
        assert line.answers()
        machine.domu("rollback")
        assert line.answers()


def test_applying_again_drops_no_connection(machine: Machine) -> None:
    """Neither with nothing to change, nor when a guest comes, nor when one goes."""
    machine.apply()
    machine.start("n1", "b1")
    client = machine.world["client"]
    with (
        machine.world["n1"].serving(EVERYWHERE, 80),
        machine.dom0.serving("192.0.2.2", 22),
        client.serving(FAR4, 443),
        client.call("192.0.2.20", 8080) as forwarded,
        client.call("192.0.2.2", 22) as session,
        machine.world["n1"].call(FAR4, 443) as outward,
    ):
        lines = (forwarded, session, outward)
        assert machine.apply()["outcome"] == "unchanged"
        assert all(line.answers() for line in lines)
        for guests in ({**FEW, "n2": GUESTS["n2"], "r1": GUESTS["r1"]}, FEW):
            for path in (machine.site / "profiles").glob("[nr][12].yaml"):
                path.unlink()
            lay_site(machine.site, DOM0, guests)
            assert machine.apply()["outcome"] == "confirmed"
            assert all(line.answers() for line in lines)


def test_removed_nothing_is_left(machine: Machine) -> None:
    before = seen(machine)
    machine.apply()
    machine.start("n1")  # a vif that is still plugged in
    machine.domu("remove", "--yes")
    after = seen(machine)
    scope = before.live.links.keys()
    assert (after.live.only(scope), after.tables, after.sysctls) == (before.live, before.tables, before.sysctls)
    assert after.live.links.keys() - scope == {"n1.0"}
    assert etc(machine) == []
    assert "nothing to do" in machine.domu("remove")


def test_a_network_that_is_no_longer_wanted_goes(machine: Machine) -> None:
    before = seen(machine)
    machine.apply()
    (machine.site / "profiles/n1.yaml").unlink()
    lay_site(machine.site, "".join(line for line in DOM0.splitlines(keepends=True) if "natbr0" not in line), {})
    machine.apply()
    assert "natbr0" not in seen(machine).live.links
    machine.domu("remove", "--yes")
    assert seen(machine).live == before.live


def test_foreign_rules_are_untouched(machine: Machine) -> None:
    """Byte by byte, those of nft and those of iptables, through every command."""
    machine.dom0.run("nft", "--file", "-", stdin=FOREIGN)
    machine.dom0.run("iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "23", "-j", "DROP")
    machine.dom0.run("iptables-nft", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "81", "-j", "REDIRECT")
    before = foreign_tables(machine.dom0)
    assert before.count("table ") == 3
    for words in (["apply"], ["rollback"], ["apply", "--yes"], ["remove", "--yes"]):
        machine.domu(*words)
        assert foreign_tables(machine.dom0) == before, words


def foreign_tables(dom0: Namespace) -> str:
    listed = dom0.run("nft", "list", "tables").stdout.split("\n")
    names = [line.split()[1:] for line in listed if line and not line.endswith(" domu")]
    # the time that an element of a set still lives runs on
    return "".join(dom0.run("nft", "--stateless", "list", "table", *name).stdout for name in names)


def test_rules_changed_by_hand_are_replaced_and_come_back(machine: Machine) -> None:
    machine.apply()
    machine.dom0.run("nft", "add", "chain", "inet", "domu", "mine")
    drifted = seen(machine)
    assert "changed by hand" in machine.domu("apply", "--diff")
    machine.domu("apply")
    assert "chain mine" not in (seen(machine).tables["inet domu"] or "")
    machine.domu("rollback")
    assert seen(machine).tables == drifted.tables


def test_a_bridge_of_somebody_elses_with_other_ports_is_refused(machine: Machine) -> None:
    machine.dom0.ip("link add name xenbr0 type bridge")
    machine.dom0.ip("link add spare type veth peer name spare2")
    machine.dom0.ip("link set dev spare master xenbr0")
    before = seen(machine)
    shown = machine.domu("apply", status=app.FINDINGS)
    assert "N402: xenbr0 is a bridge that domu did not make, with other ports: spare" in shown
    assert seen(machine) == before


def test_an_interface_that_is_not_there_is_refused(machine: Machine) -> None:
    lay_site(machine.site, DOM0.replace("eth0", "eth7"), FEW)
    assert "N401: there is no interface eth7" in machine.domu("apply", status=app.FINDINGS)


def test_files_of_others_are_written_over_by_force_alone(machine: Machine) -> None:
    mine = machine.root / RULES.lstrip("/")
    mine.parent.mkdir(parents=True)
    mine.write_text("# by hand\n")
    assert "N404" in machine.domu("apply", "--yes", status=app.FINDINGS)
    machine.domu("apply", "--yes", "--force")
    kept = journal(machine).folder / "kept" / RULES.lstrip("/")
    assert kept.read_text() == "# by hand\n"
    with mine.open("a") as stream:
        stream.write("# by hand, again\n")
    assert "N405" in machine.domu("apply", "--yes", status=app.FINDINGS)
    machine.domu("apply", "--yes", "--force")
    assert kept.read_text().endswith("# by hand, again\n")
    assert "by hand" not in mine.read_text()


INSTALLED = "auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet static\n    address 192.0.2.2/24\n"


def test_lines_of_others_about_our_interfaces_become_comments_and_come_back(machine: Machine) -> None:
    interfaces = machine.root / "etc/network/interfaces"
    interfaces.parent.mkdir(parents=True)
    interfaces.write_text(INSTALLED)
    assert "N406: /etc/network/interfaces configures eth0 in lines 5 to 6" in machine.domu("apply", status=app.FINDINGS)
    assert "+#domu: iface eth0 inet static" in machine.domu("apply", "--take-over")
    assert interfaces.read_text() == INSTALLED  # until it is confirmed
    machine.domu("confirm")
    assert "#domu: iface eth0 inet static\n#domu:     address" in interfaces.read_text()
    assert (journal(machine).folder / "kept/etc/network/interfaces").read_text() == INSTALLED
    assert machine.apply()["outcome"] == "unchanged"
    machine.domu("remove", "--yes")
    assert interfaces.read_text() == INSTALLED


def test_two_changes_exclude_each_other(machine: Machine) -> None:
    with journal(machine).locked():
        assert "another `domu network` is at work" in machine.domu("apply", status=app.FINDINGS)
    machine.domu("apply")
    assert "waits for its confirmation" in machine.domu("apply", status=app.FINDINGS)


# What `domu apply` runs, in order, as far as it changes anything: after which of these it is killed.
STEPS = {"before the rules": "nft before", "after the rules": "nft after", "before the interfaces": "batch1 before",
         "after the interfaces": "batch1 after", "after the routes": "batch2 after", "in the hook": "sh before"}  # fmt: skip


@pytest.mark.parametrize("moment", STEPS)
def test_killed_at_any_step_everything_goes_back(machine: Machine, moment: str) -> None:
    before = seen(machine)
    tools = deadly_tools(machine.world.folder / "tools9", *STEPS[moment].split())
    done = subprocess.run(
        process(machine, "apply", PATH=f"{tools}:{os.environ['PATH']}"), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL or "Killed" in done.stderr, done
    until(lambda: journal(machine).last())
    ending = journal(machine).last()
    assert ending
    assert (ending.outcome, ending.reason) == ("taken back", "whoever applied it is gone")
    assert seen(machine) == before


def deadly_tools(folder: Path, step: str, when: str) -> Path:
    """`ip`, `nft` and `sh` that kill who runs them, once, at this step."""
    folder.mkdir()
    for name, test in (("ip", '[ "$1" = -batch ]'), ("nft", '[ "$1" = --file ]'), ("sh", "true")):
        counted = {"ip": "batch", "nft": "nft", "sh": "sh"}[name]
        script = f"""#!/bin/dash
if {test} && [ ! -e {folder}/done ]; then
    echo >>{folder}/{name}.count
    number=$(wc -l <{folder}/{name}.count)
    if [ "{step}" = "{counted}" ] || [ "{step}" = "{counted}$number" ]; then
        touch {folder}/done
        if [ {when} = before ]; then kill -9 $PPID; exit 1; fi
        {shutil.which(name)} "$@"
        kill -9 $PPID
        exit
    fi
fi
exec {shutil.which(name)} "$@"
"""
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


def test_both_killed_the_next_command_takes_it_back(machine: Machine) -> None:
    before = seen(machine)
    machine.domu("apply")
    kill_watcher(machine)
    shown = machine.domu("apply")
    assert "an earlier change was taken back: it was interrupted" in shown
    machine.domu("rollback")
    assert seen(machine) == before


def kill_watcher(machine: Machine) -> None:
    trial = journal(machine).trial()
    assert trial
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if b"watch" in words and trial.id.encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)
    until(lambda: not journal(machine).is_watched(trial.id))


def test_after_a_boot_an_unconfirmed_change_is_gone(machine: Machine) -> None:
    """Nothing of it was in /etc, and what was live ended with the kernel that had it."""
    machine.domu("apply")
    kill_watcher(machine)
    path = journal(machine).folder / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another"}))
    live = seen(machine)
    shown = machine.domu("confirm", status=app.FINDINGS)
    assert "taken back: the machine was started anew before it was confirmed" in shown
    assert seen(machine) == live  # of this boot's network nothing was put back


def test_a_confirmation_that_was_interrupted_is_finished(machine: Machine) -> None:
    machine.domu("apply")
    path = journal(machine).folder / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "phase": "confirmed"}))
    assert "confirmed" in machine.domu("confirm")
    assert HOOK.lstrip("/") in etc(machine)
    assert "nothing to do" in machine.domu("apply")


def test_without_a_watcher_nothing_is_touched(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seen(machine)
    monkeypatch.setattr("builder.host.network.watch._MAIN", "raise SystemExit(1)")
    monkeypatch.setattr("builder.host.network.watch.LIMIT", 0.5)
    assert "did not start" in machine.domu("apply", status=app.FINDINGS)
    assert seen(machine) == before
    assert journal(machine).trial() is None


def test_rules_that_nft_refuses_leave_all_as_it_was(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seen(machine)
    monkeypatch.setattr("builder.xen.network.plan.render_nft", lambda *_: "table inet domu {\n    nonsense\n}\n")
    assert "nft refuses the rules" in machine.domu("apply", status=app.FINDINGS)
    assert seen(machine) == before


def test_a_public_address_on_the_interface_itself(machine: Machine) -> None:
    """dom0 keeps eth0 as it is, a lease on it included; what it holds for guests comes and goes."""
    machine.dom0.ip("address flush dev eth0")
    machine.dom0.ip("address add 192.0.2.44/24 broadcast 192.0.2.255 dev eth0 valid_lft 3600 preferred_lft 1800")
    machine.dom0.ip("route add default via 192.0.2.1 metric 100 src 192.0.2.44")
    (machine.site / "profiles/b1.yaml").unlink()
    networks = "networks: [{name: natbr0, mode: nat, addresses: [10.0.0.1/24], public: [%s]}]\n"
    for public in ("192.0.2.20", "192.0.2.20, 192.0.2.21", "192.0.2.20"):
        lay_site(machine.site, networks % public, {"n1": GUESTS["n1"]})
        assert machine.apply()["outcome"] == "confirmed"
        held = {one.local for one in seen(machine).live.links["eth0"].addresses}
        assert held == {"192.0.2.44", *public.split(", ")}
    machine.domu("remove", "--yes")
    (held_still,) = seen(machine).live.links["eth0"].addresses
    assert (held_still.local, held_still.broadcast) == ("192.0.2.44", "192.0.2.255")
    assert 3000 < held_still.valid <= 3600


def test_where_systemd_runs_the_watcher_is_a_unit_of_its(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no systemd in a namespace: what it is asked to start is started in its place."""
    asked: list[list[str]] = []

    def runner(argv: Sequence[str], **more: Any) -> Completed:
        if argv[0] != "systemd-run":
            return run(argv, **more)
        asked.append(list(argv))
        start_detached(argv[argv.index(sys.executable) :], log=machine.root / "unit.log")
        return Completed(tuple(argv), 0, b"", b"")

    monkeypatch.setattr("builder.host.network.watch._SYSTEMD", machine.root.parent)
    monkeypatch.setattr("builder.host.network.watch._FIRST", Path("/proc/self/ns/net"))
    before = seen(machine)
    wish = Wish(within=1)
    with machine.dom0.inside():
        done = apply(Site(machine.site), hands_at(machine.root, runner), wish, Silence(), lambda _diff: None)
    assert done.trial
    (argv,) = asked
    assert argv[1] == f"--unit=domu-network-{done.trial.id}"
    assert {"--collect", "--service-type=exec"} < set(argv)
    until(lambda: journal(machine).last())
    assert seen(machine) == before


def test_guests_of_a_removal_that_is_taken_back_reach_the_world_again(machine: Machine) -> None:
    """A bridge that is made again has the vifs that were plugged in, also those that the bridge lost meanwhile."""
    machine.apply()
    machine.start("n1", "b1")
    machine.domu("remove")
    assert machine.world["b1"].gets_nothing(FAR4)
    machine.dom0.ip("link delete n1.0")  # the guest stopped meanwhile
    machine.domu("rollback")
    assert machine.world["b1"].pings(FAR4)
