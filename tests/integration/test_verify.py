"""A guest asked by the real ssh at a real sshd on loopback: what it answers, whom ssh believes, and what a bad one may do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.cli.app import FINDINGS, call, load_commands
from builder.errors import BuilderError
from builder.host.guest import HostKeyError, Way, ask_guest
from builder.host.run import bounded
from builder.plan.verify.answer import read_facts
from builder.plan.verify.script import SCRIPT
from builder.xen.doctor.fact import Unknown
from tests.sshd import Sshd, make_key, needs_sshd, running_sshd

pytestmark = needs_sshd


@pytest.fixture(name="sshd", scope="module")
def guest_on_loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def way(sshd: Sshd, *host_keys: str) -> Way:
    return Way("web1", "127.0.0.1", port=sshd.port, identity=sshd.identity, host_keys=host_keys)


def test_this_very_machine_answers_every_question(sshd: Sshd) -> None:
    found = read_facts(ask_guest(way(sshd, sshd.host_key), SCRIPT))
    assert found.kernel.get() == os.uname().release
    assert found.vcpus.get() == os.cpu_count()
    assert found.host_name.get() == os.uname().nodename
    assert found.mounts.get()["/"].filesystem
    assert found.accounts.get()["root"].password in {"set", "locked"}
    assert found.packages.get()["openssh-server"] == "ii"
    assert {one.name for one in found.interfaces.get()} == {path.name for path in Path("/sys/class/net").glob("*")}
    # In a container without systemd or blkid those are unknown, and say so; nothing else is.
    unknown = {name for name in type(found).__slots__ if isinstance(getattr(found, name), Unknown)}
    assert unknown <= {"units", "disks", "swaps"}


def test_asking_leaves_no_trace(sshd: Sshd, tmp_path: Path) -> None:
    watched = (Path("/root"), Path("/tmp"), Path("/var/tmp"), tmp_path)
    before = [sorted(path.name for path in folder.iterdir()) for folder in watched[2:]]
    known_hosts = Path("/root/.ssh/known_hosts")
    there = known_hosts.exists()
    ask_guest(way(sshd), SCRIPT)
    ask_guest(way(sshd, sshd.host_key), SCRIPT)
    assert [sorted(path.name for path in folder.iterdir()) for folder in watched[2:]] == before
    assert known_hosts.exists() == there


def test_only_the_host_keys_of_the_profile_are_believed(sshd: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    assert ask_guest(way(sshd, other, sshd.host_key), "echo hello") == b"hello\n"
    with pytest.raises(HostKeyError, match="has another host key than the profile's"):
        ask_guest(way(sshd, other), "echo hello")


def test_the_other_guests_key_is_found_out(sshd: Sshd, tmp_path: Path) -> None:
    """ssh goes by the guest's name: the key of another one at the same address does not count."""
    with running_sshd(tmp_path / "other") as other, pytest.raises(HostKeyError):
        ask_guest(way(other, sshd.host_key), "echo hello")


def test_ssh_lends_nothing_and_asks_nobody(sshd: Sshd) -> None:
    argv = way(sshd, sshd.host_key).argv("/nonexistent", ("sh", "-s"))
    done = subprocess.run(
        ["ssh", "-G", *argv[1:]], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    options = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    expected = {
        "batchmode": "yes",
        "forwardagent": "no",
        "forwardx11": "no",
        "permitlocalcommand": "no",
        "stricthostkeychecking": "true",
        "userknownhostsfile": "/nonexistent",
        "globalknownhostsfile": "/dev/null",
        "hostkeyalias": "web1",
        "preferredauthentications": "publickey",
        "clearallforwardings": "yes",
        "requesttty": "false",
        "user": "root",
    }
    assert {name: options.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"identity": "/nonexistent"}, "does not let this user in", id="wrong key"),
        pytest.param({"port": 1}, "nothing listens on its ssh port", id="nobody listens"),
        pytest.param({"address": "guest.invalid"}, "its name leads nowhere", id="no such name"),
    ],
)
def test_why_a_guest_cannot_be_asked(sshd: Sshd, change: dict[str, object], words: str) -> None:
    known: dict[str, object] = {"address": "127.0.0.1", "port": sshd.port, "identity": sshd.identity}
    with pytest.raises(BuilderError, match=words) as refusal:
        ask_guest(Way("web1", **{**known, **change}), "true")  # type: ignore[arg-type]  # a table of fields
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("cat /dev/zero", "printed more than 1000000 bytes", id="gigabytes"),
        pytest.param("cat /dev/zero >&2", "printed more than 1000000 bytes", id="gigabytes of complaints"),
        pytest.param("sleep 600", "did not end within 3 s", id="hangs"),
        pytest.param("exec >&- 2>&-; sleep 600", "did not end within 3 s", id="hangs in silence"),
        pytest.param("kill -9 $$", "root@127.0.0.1: exit status 255", id="is killed"),
        pytest.param("exit 7", "root@127.0.0.1: exit status 7", id="gives up"),
    ],
)
def test_what_a_bad_guest_does_has_an_end(tmp_path: Path, command: str, words: str) -> None:
    limit = 3 if "3 s" in words else 300
    with running_sshd(tmp_path / "bad", f"ForceCommand {command}") as bad, pytest.raises(BuilderError, match=words):
        ask_guest(way(bad), SCRIPT, runner=bounded(1_000_000), limit=limit)


def test_the_command_compares_this_machine_from_outside_a_dom0(
    sshd: Sshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    (site / "profiles").mkdir(parents=True)
    (site / "profiles/web1.yaml").write_text(
        "suite: trixie\nmemory: 1G\nvolume_group: vg0\nnics: [{bridge: xenbr0}]\nlocale: tlh_AQ.UTF-8\n"
    )
    load_commands()
    reach = ["--address", "127.0.0.1", "--port", str(sshd.port), "--identity", sshd.identity]
    assert call(["--site", str(site), "verify", "web1", *reach, "--json"]) == FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["guest"], data["state"], data["asked"]) == (False, "web1", "not known here", True)
    codes = {finding["code"] for finding in data["findings"]}
    assert {"W108", "W140", "W143", "W151"} <= codes
    assert call(["--site", str(site), "verify", "web1", *reach]) == FINDINGS
    assert "web1: error W151: has the locale " in capsys.readouterr().out


def test_host_keys_made_by_the_command_are_what_sshd_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    (site / "profiles").mkdir(parents=True)
    profile = site / "profiles/web1.yaml"
    profile.write_text("suite: trixie\nmemory: 1G\nvolume_group: vg0\nnics: [{bridge: xenbr0}]\n")
    load_commands()
    assert call(["--site", str(site), "hostkeys", "web1"]) == 0
    shown = capsys.readouterr().out
    profile.write_text(profile.read_text() + shown[shown.index("ssh_host_keys:") : shown.index("\n\nFor known")])
    key = site / "secrets/web1/ssh_host_ed25519_key"
    with running_sshd(tmp_path / "sshd", f"HostKey {key}", host_key=False) as server:
        reach = ["--address", "127.0.0.1", "--port", str(server.port), "--identity", server.identity]
        call(["--site", str(site), "verify", "web1", *reach, "--json"])
        codes = {finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]}
        assert not codes & {"W102", "W103"}
        make_key(key.with_name("another"))
        profile.write_text(profile.read_text().replace(key.name, "another"))
        assert call(["--site", str(site), "verify", "web1", *reach, "--json"]) == FINDINGS
        assert [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["W108", "W103"]
