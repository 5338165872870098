"""Late and early steps, run by a real shell in a folder that passes for the installer."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.media.mirror import MirrorAnswers
from builder.plan.watch import marker_line
from builder.preseed.latecommands import Step, scripts
from builder.preseed.render import render_preseed
from builder.preseed.signals import FAILED, signal
from builder.secret import Secret
from builder.workflows.render import context_of
from tests.guests import FULL, HASH, KEY, MIRROR, guest, rendered, sample_guests, stock_templates
from tests.installer import Installer, installer
from tests.sshd import make_key

LOG = "target/var/log/domu-late.log"


def after_late(folder: Path, changes: dict[str, Any], mirror: MirrorAnswers = MIRROR) -> Installer:
    """The installer's root after the late steps of a guest, none of which failed."""
    one = guest(changes)
    root = installer(folder, rendered(one, mirror=mirror).files, one)
    done = root.run("/domu/late.sh")
    assert (done.returncode, done.stderr) == (0, ""), root.read(LOG)
    return root


@pytest.mark.parametrize("one", [*sample_guests(), guest(FULL)], ids=lambda one: one.name)
def test_every_script_is_one_for_a_posix_shell(one: Any, tmp_path: Path) -> None:
    files = rendered(one).files
    checked = [path for path in files if path.endswith((".sh", ".installer", ".target"))]
    assert "/domu/late.sh" in checked
    for path in checked:
        script = tmp_path / "script"
        script.write_text(files[path])
        for shell in (["dash", "-n"], ["bash", "--posix", "-n"]):
            done = subprocess.run([*shell, str(script)], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), path


def test_a_failing_step_is_logged_the_others_run_and_the_end_is_non_zero(tmp_path: Path) -> None:
    commands = [
        {"run": "echo one; false"},
        {"run": "echo two"},
        {"run": "echo three >&2; exit 7", "where": "target"},
        {"run": "exec 2>&1; echo four", "where": "target"},
        {"run": "set -e; if true; then"},
    ]
    one = guest(type="pvh", late_commands=commands)
    root = installer(tmp_path, rendered(one).files, one)
    done = root.run("/domu/late.sh")
    failed = "002-late-command.installer 004-late-command.target 006-late-command.installer"
    assert done.returncode == 1
    assert f"failed late steps: {failed}; see" in done.stderr
    log = root.read(LOG)
    assert "== 002-late-command.installer failed with status 1\n" in log
    assert "== 004-late-command.target failed with status 7\n" in log
    assert all(f"\n{word}\n" in log for word in ("one", "two", "three", "four"))
    assert [call[-1] for call in root.calls if call[0] == "logger"] == [
        "late step 002-late-command.installer failed with status 1",
        "late step 004-late-command.target failed with status 7",
        "late step 006-late-command.installer failed with status 2",
    ]
    assert (root.root / LOG).stat().st_mode & 0o777 == 0o600
    assert not (root.target / "var/tmp/domu-step").exists()
    assert root.read("dev/console") == signal(one.name, f"late {FAILED} {failed}")


def test_the_end_is_told_on_the_console_by_the_last_hook_and_only_when_no_step_failed(tmp_path: Path) -> None:
    def at_the_end(command: str) -> str:
        one = guest(late_commands=[command])
        root = installer(tmp_path / command, rendered(one).files, one)
        (root.root / "var/log").mkdir()
        assert root.run("/domu/early.sh").returncode == 0, root.read("var/log/domu-early.log")
        (root.root / "dev/console").unlink(missing_ok=True)
        hook = "/usr/lib/finish-install.d/96domu"
        assert (root.root / hook.lstrip("/")).stat().st_mode & 0o777 == 0o755
        assert root.run(hook).returncode == 0
        assert not (root.root / "dev/console").exists()  # before the late steps
        root.run("/domu/late.sh")
        assert root.run(hook).returncode == 0
        return root.read("dev/console")

    assert at_the_end("true") == marker_line(guest().name)
    assert marker_line(guest().name) not in at_the_end("false")


def test_a_step_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    commands = ["cd /; x=1; set -e; test() { false; }; trap 'echo trap' EXIT", 'test -z "$x"; pwd', "umask"]
    root = after_late(tmp_path, {"late_commands": commands})
    assert f"\n{tmp_path}\n" in root.read(LOG)
    assert "\n0022\n" in root.read(LOG)


def test_early_steps_run_once_however_often_the_installer_calls_them(tmp_path: Path) -> None:
    one = guest(early_commands=["echo ran; false", "echo too"])
    root = installer(tmp_path, rendered(one).files, one)
    (tmp_path / "var/log").mkdir()
    first, second = root.run("/domu/early.sh"), root.run("/domu/early.sh")
    assert (first.returncode, second.returncode) == (1, 0)
    assert root.read("var/log/domu-early.log").count("ran\n") == 1
    assert "too\n" in root.read("var/log/domu-early.log")


def test_no_steps_are_no_failure(tmp_path: Path) -> None:
    root = installer(tmp_path, scripts("late", "web1", []), guest())
    assert root.run("/domu/late.sh").returncode == 0


def test_more_than_nine_steps_keep_their_order(tmp_path: Path) -> None:
    steps = [Step("number", f"echo {number}") for number in range(12)]
    root = installer(tmp_path, scripts("late", "web1", steps), guest())
    assert root.run("/domu/late.sh").returncode == 0
    assert [int(line) for line in root.read(LOG).splitlines() if line.isdigit()] == list(range(12))


@pytest.mark.parametrize(
    ("nics", "stanzas"),
    [
        pytest.param([{"bridge": "b"}], "iface enX0 inet dhcp\niface enX0 inet6 auto\n", id="DHCP and SLAAC"),
        pytest.param(
            [{"mode": "routed", "ipv4": {"address": "203.0.113.7/32", "gateway": "192.0.2.1"}, "ipv6": "none"}],
            "iface enX0 inet static\n    address 203.0.113.7/32\n    gateway 192.0.2.1\n"
            "    pre-up echo 1 >/proc/sys/net/ipv6/conf/enX0/disable_ipv6 || true\n",
            id="routed, no IPv6",
        ),
        pytest.param(
            [{"bridge": "b", "ipv6": {"address": "2001:db8::a/64", "gateway": "fe80::1"}}],
            "iface enX0 inet dhcp\niface enX0 inet6 static\n    address 2001:db8::a/64\n    gateway fe80::1\n",
            id="second family",
        ),
        pytest.param(
            [{"bridge": "b", "ipv4": "none"}],
            "iface enX0 inet manual\n    up ip link set dev enX0 up\niface enX0 inet6 auto\n",
            id="no IPv4",
        ),
        pytest.param(
            [{"bridge": "b"}, {"bridge": "c", "ipv4": {"address": "192.0.2.9/24"}, "ipv6": "none"}],
            "iface enX0 inet dhcp\niface enX0 inet6 auto\n\nauto enX1\n"
            "iface enX1 inet static\n    address 192.0.2.9/24\n"
            "    pre-up echo 1 >/proc/sys/net/ipv6/conf/enX1/disable_ipv6 || true\n",
            id="two NICs",
        ),
    ],
)
def test_interfaces_are_found_by_mac_and_written_whole(nics: list[Any], stanzas: str, tmp_path: Path) -> None:
    root = after_late(tmp_path, {"nics": nics})
    assert root.read("target/etc/network/interfaces.d/domu") == f"\nauto enX0\n{stanzas}"
    assert "source /etc/network/interfaces.d/*\n" in root.read("target/etc/network/interfaces")
    assert (root.target / "etc/network/interfaces").stat().st_mode & 0o777 == 0o644


def test_name_servers_are_noted_beside_fixed_addresses(tmp_path: Path) -> None:
    nics = [{"bridge": "b", "ipv4": {"address": "192.0.2.9/24"}}, {"bridge": "c"}]
    root = after_late(tmp_path, {"nics": nics, "dns": ["192.0.2.53", "2001:db8::53"]})
    text = root.read("target/etc/network/interfaces.d/domu")
    assert text.count("    dns-nameservers 192.0.2.53 2001:db8::53\n") == 1


def test_without_its_nic_nothing_of_the_network_is_touched(tmp_path: Path) -> None:
    one = guest(nics=[{"bridge": "b"}, {"bridge": "c"}])
    root = installer(tmp_path, rendered(one).files, guest(name="other"))
    assert root.run("/domu/late.sh").returncode == 1
    assert f"no interface has the MAC address {one.macs[0]}" in root.read(LOG)
    assert not (root.target / "etc/network/interfaces").exists()


def test_accounts_get_hashes_by_a_file_groups_and_keys(tmp_path: Path) -> None:
    users = [
        {"name": "ann", "password": HASH, "sudo": True},
        {"name": "bob", "full_name": "Bob 'the $(builder)'", "password": HASH, "ssh_keys": [KEY]},
        {"name": "cid"},
    ]
    root = after_late(tmp_path, {"users": users})
    made = [call[2:] for call in root.calls if call[0] == "chroot" and call[2] in {"useradd", "usermod", "chpasswd"}]
    assert made == [
        ["useradd", "--create-home", "--shell", "/bin/bash", "--comment", "Bob 'the $(builder)'", "bob"],
        ["useradd", "--create-home", "--shell", "/bin/bash", "--comment", "cid", "cid"],
        ["chpasswd", "--encrypted"],
        ["usermod", "--append", "--groups", "sudo", "ann"],
    ]
    assert root.read("hashes") == f"bob:{HASH}\ncid:*\n"
    assert not any(HASH in word for call in root.calls for word in call)
    assert HASH not in root.read(LOG)
    keys = root.target / "home/bob/.ssh/authorized_keys"
    assert keys.read_text() == f"{KEY}\n"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert keys.parent.stat().st_mode & 0o777 == 0o700
    assert ["chroot", str(root.target), "chown", "-R", "bob:", "/home/bob/.ssh"] in root.calls


def test_data_volumes_are_entered_outer_ones_first(tmp_path: Path) -> None:
    volumes = [
        {"name": "b", "size": "1G", "mount": "/srv/b", "filesystem": "xfs"},
        {"name": "a", "size": "1G", "mount": "/srv"},
        {"name": "raw", "size": "1G"},
    ]
    root = after_late(tmp_path, {"volumes": volumes})
    assert root.read("target/etc/fstab").splitlines()[1:] == [
        "/dev/xvdc /srv ext4 defaults,nofail 0 2",
        "/dev/xvdb /srv/b xfs defaults,nofail 0 2",
    ]
    assert (root.target / "srv/b").is_dir()


def test_the_installers_proxy_leaves_apt(tmp_path: Path) -> None:
    one = guest()
    root = installer(tmp_path, rendered(one, mirror=replace(MIRROR, proxy="http://c.example.org:3142/")).files, one)
    conf = root.target / "etc/apt/apt.conf"
    conf.write_text('Acquire::http::Proxy "http://c.example.org:3142/";\nAPT::Other "1";\n')
    assert root.run("/domu/late.sh").returncode == 0
    assert conf.read_text() == 'APT::Other "1";\n'
    conf.write_text('Acquire::http::Proxy "http://c.example.org:3142/";\n')
    assert root.run("/domu/late.sh").returncode == 0
    assert not conf.exists()


def test_a_cachers_url_gives_way_to_the_mirrors(tmp_path: Path) -> None:
    one = guest()
    mirror = MirrorAnswers("http", "c.example.org:3142", "/m.example.org/debian", "")
    root = installer(tmp_path, rendered(one, mirror=mirror).files, one)
    sources = root.target / "etc/apt/sources.list"
    via = "http://c.example.org:3142/m.example.org"
    sources.write_text(f"deb {via}/debian trixie main\ndeb {via}/debian-security trixie-security main\n")
    assert root.run("/domu/late.sh").returncode == 0, root.read(LOG)
    plain = "http://m.example.org"
    assert sources.read_text() == f"deb {plain}/debian trixie main\ndeb {plain}/debian-security trixie-security main\n"


def test_host_keys_of_the_profile_take_the_place_of_all_others(tmp_path: Path) -> None:
    def made(kind: str, folder: Path) -> tuple[str, str]:
        make_key(folder / kind, kind)
        return (folder / kind).read_text(), (folder / kind).with_suffix(".pub").read_text()

    keys = {kind: made(kind, tmp_path) for kind in ("ed25519", "ecdsa")}
    one = guest(ssh_host_keys={kind: {"env": kind.upper()} for kind in keys})
    secrets = {f"ssh_host_keys.{kind}": Secret(private) for kind, (private, _public) in keys.items()}
    files = render_preseed(context_of(one, secrets=secrets, mirror=MIRROR), stock_templates()).files
    root = installer(tmp_path / "root", files, one)
    for name in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "ssh_host_ed25519_key", "sshd_config"):
        (root.target / "etc/ssh" / name).write_text("by openssh-server")
    done = root.run("/domu/late.sh")
    assert (done.returncode, done.stderr) == (0, ""), root.read(LOG)
    ssh = root.target / "etc/ssh"
    assert {path.relative_to(ssh).as_posix(): path.stat().st_mode & 0o777 for path in ssh.rglob("*")} == {
        "sshd_config": 0o644,
        "sshd_config.d": 0o755,
        "sshd_config.d/domu-host-keys.conf": 0o644,
        **{f"ssh_host_{kind}_key": 0o600 for kind in keys},
        **{f"ssh_host_{kind}_key.pub": 0o644 for kind in keys},
    }
    for kind, (private, public) in keys.items():
        assert (ssh / f"ssh_host_{kind}_key").read_text() == private
        assert (ssh / f"ssh_host_{kind}_key.pub").read_text().split()[:2] == public.split()[:2]
    assert (ssh / "sshd_config.d/domu-host-keys.conf").read_text() == "".join(
        f"HostKey /etc/ssh/ssh_host_{kind}_key\n" for kind in keys
    )


def test_a_host_key_that_is_none_leaves_those_of_openssh_server(tmp_path: Path) -> None:
    one = guest(ssh_host_keys={"ed25519": {"env": "KEY"}})
    files = {**rendered(one).files, "/domu/ssh-host-keys/ed25519": "-----BEGIN nothing\n"}
    root = installer(tmp_path, files, one)
    (root.target / "etc/ssh/ssh_host_rsa_key").write_text("by openssh-server")
    assert root.run("/domu/late.sh").returncode == 1
    assert "ssh-host-keys.installer failed" in root.read(LOG)
    assert (root.target / "etc/ssh/ssh_host_rsa_key").exists()
