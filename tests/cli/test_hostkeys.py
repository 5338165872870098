"""`domu hostkeys`: real keys by ssh-keygen, where only their owner reads them; what is there is never replaced."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from builder.cli.app import FINDINGS, FINE, call, load_commands

PROFILE = """\
suite: trixie
memory: 1G
volume_group: vg0
domain: example.org
nics: [{bridge: xenbr0, ipv4: {address: 192.0.2.10/24, gateway: 192.0.2.1}}]
"""


@pytest.fixture(name="site")
def one_guest(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/web1.yaml").write_text(PROFILE)
    load_commands()
    return tmp_path


def hostkeys(site: Path, *words: str) -> int:
    return call(["--site", str(site), "hostkeys", "web1", *words])


def modes(site: Path) -> dict[str, int]:
    return {path.relative_to(site).as_posix(): path.stat().st_mode & 0o777 for path in site.rglob("*")}


def test_keys_are_made_for_their_owner_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hostkeys(site, "--type", "ecdsa", "--type", "ed25519", "--json") == FINE
    data = json.loads(capsys.readouterr().out)
    made = modes(site)
    assert {path: mode for path, mode in made.items() if path.startswith("secrets")} == {
        "secrets": 0o700,
        "secrets/.gitignore": 0o644,
        "secrets/web1": 0o700,
        "secrets/web1/ssh_host_ecdsa_key": 0o600,
        "secrets/web1/ssh_host_ecdsa_key.pub": made["secrets/web1/ssh_host_ecdsa_key.pub"],
        "secrets/web1/ssh_host_ed25519_key": 0o600,
        "secrets/web1/ssh_host_ed25519_key.pub": made["secrets/web1/ssh_host_ed25519_key.pub"],
    }
    assert [key["type"] for key in data["keys"]] == ["ed25519", "ecdsa"]
    for key in data["keys"]:
        path = site / data["files"][key["type"]]
        told = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True).stdout
        assert told.split()[:2] == key["public"].split()
        assert f"web1,web1.example.org,192.0.2.10 {key['public']}" in data["known_hosts"]


def test_the_lines_that_it_prints_are_a_profiles(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hostkeys(site) == FINE
    out = capsys.readouterr().out
    block = out[out.index("    ssh_host_keys:") : out.index("\n\nFor known_hosts")]
    profile = site / "profiles/web1.yaml"
    profile.write_text(PROFILE + "".join(f"{line.removeprefix('    ')}\n" for line in block.splitlines()))
    assert hostkeys(site, "--show") == FINE
    assert capsys.readouterr().out == out[out.index("For known_hosts") :]


def test_nothing_is_made_when_one_is_there(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "secrets/web1").mkdir(parents=True)
    (site / "secrets/web1/ssh_host_rsa_key").symlink_to("/nonexistent")
    before = modes(site / "profiles") | dict.fromkeys(map(str, (site / "secrets").rglob("*")), 0)
    assert hostkeys(site, "--type", "ed25519", "--type", "rsa") == FINDINGS
    assert "ssh_host_rsa_key is there already, and is not replaced" in capsys.readouterr().err
    assert modes(site / "profiles") | dict.fromkeys(map(str, (site / "secrets").rglob("*")), 0) == before


def test_a_key_is_not_made_twice(site: Path) -> None:
    assert hostkeys(site) == FINE
    text = (site / "secrets/web1/ssh_host_ed25519_key").read_text()
    assert hostkeys(site) == FINDINGS
    assert (site / "secrets/web1/ssh_host_ed25519_key").read_text() == text


def test_a_dry_run_makes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hostkeys(site, "--dry-run") == FINE
    assert capsys.readouterr().out.startswith("would make secrets/web1/ssh_host_ed25519_key\n")
    assert not (site / "secrets").exists()


def test_a_profile_without_host_keys_has_none_to_show(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hostkeys(site, "--show") == FINDINGS
    assert "domu hostkeys web1 makes some" in capsys.readouterr().err


def test_two_guests_with_one_key_are_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "ssh_host_keys: {ed25519: {file: secrets/shared}}\n"
    for name, address in (("web1", "10"), ("web2", "11")):
        (site / f"profiles/{name}.yaml").write_text(PROFILE.replace("2.10/", f"2.{address}/") + line)
    assert call(["--site", str(site), "show", "web1"]) == FINDINGS
    assert "error P207: the SSH host key of file secrets/shared is taken by web2" in capsys.readouterr().err


def test_a_private_key_in_a_profile_is_refused_and_not_repeated(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "ssh_host_keys:\n  ed25519: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    canary\n"
    (site / "profiles/web1.yaml").write_text(PROFILE + text)
    assert call(["--site", str(site), "show", "web1"]) == FINDINGS
    shown = capsys.readouterr()
    assert "ssh_host_keys.ed25519" in shown.err
    assert "canary" not in shown.err + shown.out
