"""`domu show`: what is printed, and with which status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from tests.profiles import HASH, SITE, as_yaml

load_commands()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    for name, text in {
        "site": as_yaml(SITE),
        "web1": f"vcpus: 2\nroot:\n  password: {HASH}\n",
        "web2": "vcpus: two\n",
        "web3": "iso: missing.iso\nmedia: iso\niso_sha256: '" + "0" * 64 + "'\n",
    }.items():
        (tmp_path / "profiles" / f"{name}.yaml").write_text(text)
    return tmp_path


def test_the_resolved_profile(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "show", "web1"]) == 0
    out, err = capsys.readouterr()
    assert "vcpus: 2\n" in out
    assert "hash: Secret(...)" in out.replace('"', "")
    assert "canary" not in out + err


def test_why(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "show", "web1", "--why"]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("vcpus")]
    assert line.split() == ["vcpus:", "2", "#", f"{site}/profiles/web1.yaml:1:8"]
    assert "canary" not in out


def test_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "show", "web1", "--why", "--json"]) == 0
    out = capsys.readouterr().out
    data = json.loads(out)
    assert data["guest"]["vcpus"] == 2
    assert data["guest"]["root"]["password"] == {"hash": "Secret(...)"}
    assert data["why"]["vcpus"].endswith("web1.yaml:1:8")
    assert data["derived"]["fqdn"] == "web1"
    assert "canary" not in out


def test_an_unknown_guest(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "show", "wbe1"]) == 1
    assert "did you mean 'web1'?" in capsys.readouterr().err
    assert call(["--site", str(site), "show", "zzz"]) == 1
    assert "web1, web2, web3" in capsys.readouterr().err


def test_a_guest_with_errors(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "show", "web2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "web2.yaml:1:8: error P032" in err
    assert call(["--site", str(site), "show", "web3"]) == 1
    out, err = capsys.readouterr()
    assert "iso: missing.iso\n" in out
    assert "web3.yaml:1:6: error P205: missing.iso is no file" in err


def test_no_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(tmp_path), "show", "web1"]) == 1
    assert "domu init DIR" in capsys.readouterr().err
