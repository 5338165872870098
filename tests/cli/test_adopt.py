"""`domu adopt` from end to end, on a made-up dom0's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from builder.profile.load import SourceText, load_site
from tests.profiles import SITE, as_yaml

CANARY = "canary-of-a-password"
CONFIG = """\
name = "old1"
memory = 2048
kernel = "/boot/vmlinuz"
disk = ["phy:/dev/vg0/old1-disk,xvda,w", "phy:/dev/vg0/old1-data,xvdb,w"]
vif = ["bridge=xenbr0,mac=00:16:3e:00:00:01"]
"""
VOLUMES = {
    "volumes": [{"name": "old1-data", "size_bytes": 1 << 30, "keep": True, "filesystem": "xfs", "mount": "/srv"}]
}
SELECTIONS = f"""\
d-i\tmirror/suite\tselect\tbookworm
d-i\tnetcfg/get_hostname\tstring\told1
d-i\tpasswd/username\tstring\talex
d-i\tpasswd/user-password\tpassword\t{CANARY}
d-i\tpreseed/late_command\tstring\techo root:{CANARY} | chpasswd
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    load_commands()
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "site.yaml").write_text(as_yaml(SITE))
    (tmp_path / "old1.cfg").write_text(CONFIG)
    (tmp_path / "volumes.json").write_text(json.dumps(VOLUMES))
    (tmp_path / "selections").write_text(SELECTIONS)
    return tmp_path


def adopt(site: Path, *words: str) -> int:
    named = ["--config", str(site / "old1.cfg"), "--installer-log", str(site / "selections")]
    return call(["--site", str(site), "adopt", "old1", *named, *words])


def test_a_profile_is_written_that_loads(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adopt(site) == 0
    path = site / "profiles" / "old1.yaml"
    out, err = capsys.readouterr()
    assert "Cannot be known" in out
    assert f"{path}: written" in out
    assert "A107" in err
    loaded = load_site([SourceText(one.name, one.stem, one.read_bytes()) for one in (site / "profiles").glob("*.yaml")])
    (guest,) = loaded.guests
    assert (guest.suite, guest.memory.mebibytes(), guest.users[0].name) == ("bookworm", 2048, "alex")
    assert [(one.name, one.mount, one.filesystem) for one in guest.volumes] == [("data", "/srv", "xfs")]
    assert CANARY not in out + err + path.read_text()


def test_an_existing_profile_is_left_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = site / "profiles" / "old1.yaml"
    path.write_text("memory: 1G\n")
    assert adopt(site) == 1
    assert "exists" in capsys.readouterr().err
    assert path.read_text() == "memory: 1G\n"
    assert adopt(site, "--dry-run") == 0
    assert "memory: 2048M" in capsys.readouterr().out
    assert path.read_text() == "memory: 1G\n"
    assert adopt(site, "--force") == 0
    assert "memory: 2048M" in path.read_text()


def test_json_has_every_field(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adopt(site, "--dry-run", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["written"] is False
    assert {row["certainty"] for row in data["fields"]} == {"known", "likely", "cannot be known"}
    assert data["profile"].startswith("# yaml-language-server")
    assert not (site / "profiles" / "old1.yaml").exists()


def test_what_the_site_gives_and_the_guest_has_not_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "profiles" / "site.yaml").write_text(as_yaml({**SITE, "cpu_cap": 50}))
    assert adopt(site, "--dry-run") == 0
    assert "warning A110" in capsys.readouterr().err


def test_without_a_suite_nothing_is_written(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = {key: value for key, value in SITE.items() if key != "suite"}
    (site / "profiles" / "site.yaml").write_text(as_yaml(without))
    (site / "selections").write_text("d-i a/b string c\n")
    assert adopt(site) == 1
    assert "--suite" in capsys.readouterr().err
    assert not (site / "profiles" / "old1.yaml").exists()
    assert adopt(site, "--suite", "trixie", "--dry-run") == 0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("old1.cfg", "import os\n", "A106"),
        ("old1.cfg", "name = 'old1'\n", "memory"),
        ("selections", "nonsense\n", "no selection"),
        ("volumes.json", "[]", "list of volumes"),
        ("volumes.json", "{", "no JSON"),
    ],
)
def test_what_cannot_be_read_is_told(
    name: str, text: str, words: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / name).write_text(text)
    assert adopt(site) == 1
    assert words in capsys.readouterr().err
    assert not (site / "profiles" / "old1.yaml").exists()


def test_a_folder_of_logs_needs_its_file(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = site / "installer"
    (logs / "cdebconf").mkdir(parents=True)
    named = ["--config", str(site / "old1.cfg"), "--installer-log", str(logs), "--dry-run"]
    assert call(["--site", str(site), "adopt", "old1", *named]) == 1
    assert "questions.dat" in capsys.readouterr().err
    (logs / "cdebconf" / "questions.dat").write_text("Name: time/zone\nValue: Europe/Berlin\n")
    assert call(["--site", str(site), "adopt", "old1", *named]) == 0
    assert "Europe/Berlin" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Web1", "../x", "a_b", ""])
def test_a_name_that_no_guest_can_have_is_refused(name: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "adopt", name]) == 1
    assert "no guest's name" in capsys.readouterr().err


def test_without_a_config_the_usual_places_are_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--site", str(site), "adopt", "nosuch"]) == 1
    assert "/etc/xen/nosuch.cfg" in capsys.readouterr().err
