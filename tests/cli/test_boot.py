"""`domu boot`, as a user would call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli import app
from tests.guests import ROOT
from tests.kernels import MAGICS, bzimage

app.load_commands()
PROFILE = "suite: trixie\nmemory: 1G\nvolume_group: vg0\nnics: [{bridge: xenbr0}]\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "web1.yaml").write_text(PROFILE)
    return tmp_path


def domu(site: Path, *words: str) -> int:
    return app.call(["--site", str(site), "boot", *words])


def test_the_way_is_told_with_its_reasons(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(site, "web1") == app.FINE
    said = capsys.readouterr().out
    assert said.startswith("web1 (pv, trixie): pvgrub, the best way that there is for it\n")
    assert "* pvgrub    works " in said
    assert "  pygrub    works, but " in said
    assert "needs dom0_reads_disk:" in said
    assert "hook, and zstd for it" in said
    assert "Nobody looked at: " in said
    assert "Advice: type: pvh would work here, too" in said
    assert all(len(line) <= 140 for line in said.splitlines())


def test_the_kernel_of_a_build_is_read(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "build" / "web1").mkdir(parents=True)
    vmlinuz = site / "build" / "web1" / "vmlinuz"
    vmlinuz.write_bytes(bzimage(MAGICS["lz4"] + bytes(9), version="6.99.1-amd64"))
    assert domu(site, "web1") == app.FINDINGS
    out, err = capsys.readouterr()
    assert "Linux 6.99.1-amd64, compressed by lz4" in out
    assert "error X102: pvgrub cannot start this guest" in err
    vmlinuz.write_bytes(b"<html>")
    assert domu(site, "web1") == app.FINDINGS
    assert "is no Linux kernel" in capsys.readouterr().err


def test_pygrub_needs_a_yes(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = site / "profiles" / "web1.yaml"
    profile.write_text(PROFILE + "bootloader: pygrub\n")
    assert domu(site, "web1", "--json") == app.FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert (data["method"], data["why"]) == ("pygrub", "the profile says so")
    assert [finding["code"] for finding in data["findings"]] == ["X105"]
    assert "dom0_reads_disk: true" in data["findings"][0]["hint"]
    profile.write_text(PROFILE + "bootloader: pygrub\ndom0_reads_disk: true\n")
    assert domu(site, "web1", "--json") == app.FINE


def test_a_guest_that_nothing_starts(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles" / "web1.yaml").write_text(PROFILE + "type: pvh\narch: arm64\n")
    assert domu(site, "web1") == app.FINDINGS
    out, err = capsys.readouterr()
    assert out.startswith("web1 (pvh, trixie): auto knows no way for pvh guests on arm64\n")
    assert "error X101" in err
    assert "write bootloader: pygrub or direct" in err
    assert domu(site, "web1", "--json") == app.FINDINGS
    assert json.loads(capsys.readouterr().out)["method"] is None


def test_dom0_yaml_is_believed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles" / "dom0.yaml").write_text("xen: '4.14'\n")
    (site / "profiles" / "web1.yaml").write_text(PROFILE + "bootloader: direct\nkernel_args: [root=/dev/xvda1]\n")
    assert domu(site, "web1", "--json") == app.FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert data["dom0"]["xen"] == {"value": "4.14", "origin": "profiles/dom0.yaml"}
    assert [finding["code"] for finding in data["findings"]] == ["X102"]
    assert app.call(["--site", str(site), "check", "web1"]) == app.FINDINGS
    assert "X102" in capsys.readouterr().out


def test_an_unknown_guest(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(site, "web2") == app.FINDINGS
    assert "did you mean 'web1'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["db1", "edge1", "pvh1", "web1"])
def test_the_sample_guests_can_be_started(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(ROOT, name, "--json") == app.FINE
    data = json.loads(capsys.readouterr().out)
    (chosen,) = [row for row in data["methods"] if row["method"] == data["method"]]
    assert (chosen["outcome"], chosen["hint"]) == ("works", "")
