"""`domu verify` and `domu drift` on a made-up dom0: xl's answers and the guests' as they are printed, no ssh."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.cli.app import FINDINGS, FINE, call, load_commands
from builder.errors import BuilderError, RefusalError
from builder.findings import Severity
from builder.host.run import LIMIT, Completed
from builder.host.site import Site
from builder.plan.verify.script import SCRIPT
from builder.report.verify import drift_text, result_data, verdict_of, verify_text
from builder.workflows import verify as workflow
from builder.workflows.verify import Verified, drift, verify, verify_guest
from tests.answers import HOST_KEY, PROFILE, answer, same_domain, same_guest
from tests.guests import guest
from tests.xl import LONG_HEAD

DOM0_UUID = "00000000-0000-0000-0000-000000000000"


def listed(name: str, domid: int, uuid: str, state: str = "-b----") -> str:
    """A row of `xl list --verbose`."""
    return f"{name:<40} {domid:5} {1024:5} {2:5}     {state}  {7.3:8.1f} {uuid} {'-':>8} {'-':>16}\n"


def long_entry(domid: int, name: str, uuid: str, **build: Any) -> dict[str, Any]:
    """An entry of `xl list --long`, of a domain as same_domain has it."""
    config = same_domain().config
    assert config is not None
    return {
        "domid": domid,
        "config": {
            "c_info": {"type": "pv", "name": name, "uuid": uuid},
            "b_info": {"max_vcpus": 2, "target_memkb": 1 << 20, "max_memkb": 1 << 20, "kernel": config.kernel, **build},
            "disks": [{"pdev_path": disk.target, "vdev": disk.vdev, "readwrite": 1} for disk in config.disks],
            "nics": [{"mac": nic.mac, "bridge": nic.bridge, "ifname": nic.vif} for nic in config.nics],
            "on_reboot": "restart",
            "on_crash": "restart",
        },
    }


@dataclass
class Host:
    """A site, a dom0, and what its guests answer by address; every command is noted."""

    site: Site
    root: Path
    rows: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Completed] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        self.ran.append(tuple(argv))
        assert limit <= 900
        assert set(env or {}) <= {"SSH_AUTH_SOCK"}
        match list(argv[:3]):
            case ["xl", "list", "--verbose"]:
                return Completed(tuple(argv), 0, (LONG_HEAD + self.rows).encode(), b"")
            case ["xl", "list", "--long"]:
                return Completed(tuple(argv), 0, json.dumps(self.entries).encode(), b"")
            case ["ip", "-json", "neighbour"]:
                seen = [{"dst": "192.0.2.77", "dev": "xenbr0", "lladdr": "00:16:3e:00:00:02", "state": ["STALE"]}]
                return Completed(tuple(argv), 0, json.dumps(seen).encode(), b"")
            case ["ssh", *_]:
                assert stdin == SCRIPT.encode()
                address = argv[argv.index("--") + 1]
                refused = Completed(tuple(argv), 255, b"", b"ssh: connect to host x port 22: No route to host\n")
                return self.answers.get(address, refused)
        raise AssertionError(argv)

    def profile(self, name: str, **more: Any) -> None:
        data = {key: value for key, value in PROFILE.items() if key != "name"} | more
        (self.site.profiles / f"{name}.yaml").write_text(yaml.safe_dump(data))

    def runs(self, name: str, domid: int, uuid: str, state: str = "-b----") -> None:
        self.rows += listed(name, domid, uuid, state)
        self.entries.append(long_entry(domid, name, uuid))

    def says(self, address: str, data: bytes) -> None:
        self.answers[address] = Completed(("ssh",), 0, data, b"")

    def verify(self, name: str = "web1") -> Verified:
        return verify(self.site, name, environment={}, runner=self, root=self.root)

    def drift(self, *names: str) -> list[tuple[str, str, list[str]]]:
        found = drift(self.site, names, environment={}, runner=self, root=self.root)
        return [(one.guest, verdict_of(one), [finding.code for finding in one.findings]) for one in found]


@pytest.fixture(name="host")
def made_up(tmp_path: Path) -> Host:
    """web1 runs and is as its profile says."""
    root = tmp_path / "root"
    for path, text in (("sys/hypervisor/type", "xen\n"), ("proc/xen/capabilities", "control_d\n")):
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
    (tmp_path / "site/profiles").mkdir(parents=True)
    host = Host(Site(tmp_path / "site"), root, listed("Domain-0", 0, DOM0_UUID, "r-----"))
    host.profile("web1")
    host.runs("web1", 5, same_guest().domain_uuid)
    host.says("192.0.2.10", answer())
    return host


def test_a_guest_as_its_profile_says(host: Host) -> None:
    found = host.verify()
    assert (found.findings, found.state, found.asked, found.fails(strict=True)) == ((), "running", True, False)
    assert verify_text(found) == "web1 is as its profile says"
    assert result_data(found)["verdict"] == "same"
    assert [argv[0] for argv in host.ran] == ["xl", "xl", "ssh"]


def test_what_differs_is_told_on_both_sides(host: Host) -> None:
    host.profile("web1", vcpus=3)
    found = host.verify()
    assert [finding.code for finding in found.findings] == ["W111", "W124"]
    assert verify_text(found).endswith("web1: differs, 2 errors")
    assert found.fails()


def test_warnings_fail_only_when_asked_to(host: Host) -> None:
    host.says("192.0.2.10", answer({"resolver": "127.0.0.53"}))
    found = host.verify()
    assert [finding.severity for finding in found.findings] == [Severity.WARNING]
    assert (found.fails(), found.fails(strict=True)) == (False, True)


@pytest.mark.parametrize(
    ("state", "verdict", "hint"),
    [
        pytest.param("---sc-", "crashed", "xl destroy 5; xl create /var/lib/domu/web1/web1.cfg", id="crashed"),
        pytest.param("--p---", "paused", "xl unpause 5", id="paused"),
        pytest.param("", "does not run", "xl create /var/lib/domu/web1/web1.cfg", id="not there"),
    ],
)
def test_a_guest_that_does_not_run_is_not_asked(host: Host, state: str, verdict: str, hint: str) -> None:
    dom0 = host.rows.splitlines(keepends=True)[0]
    host.rows = dom0 + (listed("web1", 5, same_guest().domain_uuid, state) if state else "")
    found = host.verify()
    assert [(finding.code, finding.hint) for finding in found.findings] == [("W106", hint)]
    assert verdict_of(found) == verdict
    assert not [argv for argv in host.ran if argv[0] == "ssh"]


def test_a_guest_that_does_not_answer_is_no_failure_of_ours(host: Host) -> None:
    host.answers.clear()
    found = host.verify()
    assert [finding.code for finding in found.findings] == ["W102"]
    assert "there is no way to it" in found.findings[0].message
    assert verdict_of(found) == "cannot be asked"


def test_an_answer_that_a_terminal_would_obey_is_spelt_out(host: Host) -> None:
    host.says("192.0.2.10", b"\x1b]0;owned\x07\n")
    text = verify_text(host.verify())
    assert text.replace("\n", "").isprintable()
    assert "owned" in text


def test_another_host_at_the_address_is_told_from_a_guest_that_differs(host: Host) -> None:
    denied = b"@@@ WARNING @@@\nHost key verification failed.\n"
    host.answers["192.0.2.10"] = Completed(("ssh",), 255, b"", denied)
    domain = same_domain()
    found = verify_guest(same_guest(), domain, host_keys=[HOST_KEY], runner=host)
    assert [finding.code for finding in found] == ["W103"]
    # Without keys of its own nobody can tell: ssh then believes any.
    assert [finding.code for finding in verify_guest(same_guest(), domain, runner=host)] == ["W102"]


def test_kept_host_keys_that_cannot_be_had_are_told_and_nobody_is_asked(host: Host) -> None:
    host.profile("web1", ssh_host_keys={"ed25519": {"file": "secrets/web1/key"}})
    found = host.verify()
    assert [(finding.code, finding.guest) for finding in found.findings] == [("S002", "web1")]
    assert not found.asked
    assert not [argv for argv in host.ran if argv[0] == "ssh"]


def test_a_leased_address_is_the_one_that_was_seen_last(host: Host) -> None:
    host.profile("web1", nics=[{"bridge": "xenbr0", "mac": "00:16:3e:00:00:02"}])
    host.verify()
    assert host.ran[-1][-2] == "192.0.2.77"
    host.profile("web1", nics=[{"bridge": "xenbr0", "mac": "00:16:3e:00:00:03"}])
    host.verify()
    assert host.ran[-1][-2] == "fe80::216:3eff:fe00:3%xenbr0"
    host.profile("web1", nics=[{"bridge": "xenbr0", "mac": "00:16:3e:00:00:03", "ipv6": "none"}])
    assert any("--address" in finding.hint for finding in host.verify().findings)


@pytest.mark.parametrize(
    ("profile", "login", "command"),
    [
        pytest.param({}, "root", "sh -s", id="root"),
        pytest.param(
            {"ssh_keys": [], "users": [{"name": "alex", "sudo": True, "ssh_keys": list(PROFILE["ssh_keys"])}]},
            "alex",
            "sudo -n sh -s",
            id="who has sudo",
        ),
        pytest.param({"ssh_keys": []}, "root", "sh -s", id="nobody"),
    ],
)
def test_who_logs_in(host: Host, profile: dict[str, Any], login: str, command: str) -> None:
    host.profile("web1", **profile)
    host.verify()
    argv = host.ran[-1]
    assert (argv[argv.index("-l") + 1], argv[-1]) == (login, command)


def test_drift_tells_of_all_that_run_and_of_strangers(host: Host) -> None:
    nic = {"bridge": "xenbr0", "ipv4": {"address": "192.0.2.20/24", "gateway": "192.0.2.1"}}
    host.profile("db1", nics=[nic])
    host.profile("idle", nics=[nic | {"ipv4": "dhcp"}])
    host.profile("late", nics=[nic | {"ipv4": "dhcp"}], autostart=True)
    host.runs("db1", 6, guest(name="db1").domain_uuid)
    host.runs("old\tname".replace("\t", " "), 7, "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a")
    found = host.drift()
    assert [(name, verdict) for name, verdict, _codes in found] == [
        ("db1", "cannot be asked"),
        ("late", "does not run"),
        ("web1", "same"),
        ("old name", "idle"),
    ]
    assert found[-1][2] == ["W107"]
    assert [name for name, _verdict, _codes in host.drift("idle", "web1")] == ["idle", "web1"]


def test_drift_is_a_table_and_what_was_found(host: Host) -> None:
    host.profile("web1", locale="C.UTF-8")
    found = drift(host.site, environment={}, runner=host, root=host.root)
    table, _, findings = drift_text(found).partition("\n\n")
    assert table == "guest  verdict  findings\nweb1   differs  1 error"
    assert findings.startswith("web1: error W151: ")
    assert drift_text([]) == "no guest runs here"


def test_drift_off_a_dom0_says_where_to_run_it(host: Host, tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match="this machine is no dom0"):
        drift(host.site, environment={}, runner=host, root=tmp_path)


def test_off_a_dom0_only_the_guest_is_asked(host: Host, tmp_path: Path) -> None:
    found = verify(host.site, "web1", environment={}, runner=host, root=tmp_path)
    assert [(finding.code, finding.severity) for finding in found.findings] == [("W108", Severity.NOTE)]
    assert (found.asked, found.fails(strict=True), verdict_of(found)) == (True, False, "same")


def test_unknown_and_unsound_guests_are_refused(host: Host) -> None:
    with pytest.raises(BuilderError, match="there is no guest"):
        host.verify("web2")
    host.profile("bad", memory="1X")
    with pytest.raises(RefusalError):
        host.verify("bad")


def test_an_agent_is_lent_and_nothing_else(host: Host) -> None:
    verify_guest(
        same_guest(), None, runner=host, environment={"SSH_AUTH_SOCK": "/run/agent", "LD_PRELOAD": "x", "HOME": "/root"}
    )


@pytest.mark.parametrize("command", ["verify", "drift"])
def test_the_commands_print_and_judge(
    host: Host, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands as they are, but for this machine, which is no dom0."""
    real = getattr(workflow, command)
    monkeypatch.setattr(
        workflow, command, lambda *one, **more: real(*one, **{**more, "runner": host, "root": host.root})
    )
    load_commands()
    words = ["--site", str(host.site.root), command, *(["web1"] if command == "verify" else [])]
    assert call([*words]) == FINE
    assert "web1" in capsys.readouterr().out
    host.profile("web1", locale="C.UTF-8")
    assert call([*words, "--json"]) == FINDINGS
    data = json.loads(capsys.readouterr().out)
    one = data if command == "verify" else data["guests"][0]
    assert (data["ok"], one["verdict"], one["findings"][0]["code"]) == (False, "differs", "W151")
    host.says("192.0.2.10", answer({"locale": "C.UTF-8", "resolver": "127.0.0.53"}))
    assert call(words) == FINE
    assert call([*words, "--strict"]) == FINDINGS
    assert "warning W142" in capsys.readouterr().out
