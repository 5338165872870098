"""`domu catalogue` and `domu explain`: what is printed, and with which status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands

load_commands()


@pytest.fixture(autouse=True)
def _outside_of_any_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOMU_SITE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_show_json_of_a_whole_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["catalogue", "show", "--suite", "bookworm", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["suite"] == "bookworm"
    assert len(data["questions"]) > 1100
    assert {"name", "type", "choices", "default", "package", "description"} <= set(data["questions"][0])
    assert {"package", "why", "prefixes"} == set(data["unread"][0])


def test_show_a_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["catalogue", "show", "netcfg/get_*"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["netcfg/get_hostname", "string", "debian", "netcfg"]
    assert len(lines) == 7


def test_show_one_question_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["catalogue", "show", "clock-setup/ntp"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("clock-setup/ntp: boolean, asked by clock-setup (read from: udeb)\n  default: true\n")


def test_show_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["catalogue", "show", "no-such-thing"]) == 1
    assert call(["catalogue", "show", "--suite", "sid"]) == 1
    assert "no catalogue ships for suite 'sid'" in capsys.readouterr().err


def test_diff(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["catalogue", "diff", "bookworm", "trixie"]) == 0
    out = capsys.readouterr().out
    assert "  partman-crypto/crypto_root_needs_boot: error -> boolean" in out
    assert "  tzdata/Zones/US" in out
    assert "perhaps, as a package was not read" in out
    assert call(["catalogue", "diff", "bookworm", "trixie", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {"name": "partman-auto/cap-ram", "before": "1024", "after": "false"} in data["defaults"]


@pytest.mark.parametrize(
    ("question", "status", "words"),
    [
        pytest.param(
            "mirror/http/proxy", 0, ["asked at priority high: always", "d-i mirror/http/proxy string"], id="asked"
        ),
        pytest.param(
            "keymap", 0, ["keymap on the kernel command line means keyboard-configuration/xkb-keymap"], id="alias"
        ),
        pytest.param("url", 0, ["d-i preseed/url string"], id="another alias"),
        pytest.param("tasksel/first", 0, ["tasksel tasksel/first multiselect standard, ssh-server"], id="a package's"),
        pytest.param("partman-target/no_root", 0, ["no line answers it: the type is error"], id="an error"),
        pytest.param("apt-setup/local3/key", 0, ["one of apt-setup/localN/", "no template declares"], id="a family"),
        pytest.param(
            "grub-installer/bootdev", 0, ["bookworm", "may exist; not read: grub-installer"], id="unread there"
        ),
        pytest.param("mirror/http/porxy", 1, ["unknown; did you mean mirror/http/proxy"], id="a slip of the pen"),
        pytest.param("no/such", 1, ["unknown"], id="nothing"),
    ],
)
def test_explain(question: str, status: int, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["explain", question]) == status
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


def test_explain_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["explain", "keymap", "--suite", "trixie", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["name"], data["alias"]) == ("keyboard-configuration/xkb-keymap", "keymap")
    assert data["question"]["type"] == "select"
    assert [(one["suite"], one["state"]) for one in data["suites"]] == [("trixie", "known")]
    assert data["asked"][0]["priority"] == "critical"
    assert data["line"] == "d-i keyboard-configuration/xkb-keymap select us"
    assert call(["explain", "mirror/http/porxy", "--suite", "trixie", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["suites"][0]["near"][0] == "mirror/http/proxy"
