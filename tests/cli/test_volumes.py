"""`domu volumes`, with an `lvm` on the PATH that prints a report and tools that write down how they were called."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.cli.app import FINDINGS, FINE, call, load_commands
from tests.lvm_reports import EXTENT, lv, pool, report, text

load_commands()
SITE = "suite: trixie\nmemory: 1G\nvolume_group: vg0\nnics: [{bridge: xenbr0}]\n"
WEB1 = "disk: {size: 4000M, partitions: [{mount: /, minimum: 1G}]}\nvolumes: [{name: srv, size: 400M}]\n"
DISK = lv("web1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=web1")
SRV = lv("web1-srv", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=srv")
TOOLS = ("lvcreate", "lvchange", "lvextend", "lvremove", "blkdiscard", "wipefs", "mkfs.ext4")


class Dom0:
    """A site beside a machine whose LVM has these volumes."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        (folder / "site/profiles").mkdir(parents=True)
        (folder / "site/profiles/site.yaml").write_text(SITE)
        self.guest("web1", WEB1)
        self.program("lvm", f"cat {folder}/report.json")
        for tool in TOOLS:
            self.program(tool, f'echo {tool} "$@" >>{folder}/log')
        self.volumes()

    def guest(self, name: str, profile: str) -> None:
        (self.folder / f"site/profiles/{name}.yaml").write_text(profile)

    def program(self, name: str, line: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def volumes(self, *rows: dict[str, str]) -> None:
        (self.folder / "report.json").write_text(text(report(rows)))

    def domu(self, *words: str) -> tuple[int, str, str]:
        status = call(["--site", str(self.folder / "site"), "volumes", *words])
        out, err = self.capsys.readouterr()
        return status, out, err

    @property
    def called(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def dom0(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Dom0:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return Dom0(tmp_path, capsys)


PLAN = """\
vg0: 4000 of 5000 extents of 4.0 MiB are free; 3000 afterwards

guest  volume         is to    size
web1   vg0/web1-disk  be made  3.9 GiB    thick
web1   vg0/web1-srv   stay     400.0 MiB
"""


def test_plan(dom0: Dom0) -> None:
    dom0.volumes(SRV)
    assert dom0.domu("plan") == (FINE, PLAN, "")
    assert dom0.called == []


def test_plan_says_that_nothing_is_to_be_done(dom0: Dom0) -> None:
    dom0.volumes(SRV, DISK)
    status, out, _ = dom0.domu("plan", "web1")
    assert status == FINE
    assert out.endswith("\nNothing is to be done.\n")


def test_a_refusal_ends_in_1_and_touches_nothing(dom0: Dom0) -> None:
    dom0.volumes(lv("web1-disk"))
    for command in ("plan", "apply"):
        status, out, _ = dom0.domu(command)
        assert status == FINDINGS
        assert "web1   vg0/web1-disk  - refused -" in out
        assert "web1: error V104: vg0/web1-disk is there and is not tagged as one of domu's" in out
        assert "domu volumes apply web1 --adopt vg0/web1-disk" in out
    assert dom0.called == []


def test_what_is_destroyed_stands_on_lines_of_its_own(dom0: Dom0) -> None:
    dom0.volumes(SRV, DISK)
    status, out, _ = dom0.domu("plan", "--rebuild")
    assert status == FINE
    assert "This DESTROYS what is on:\n  vg0/web1-disk  3.9 GiB  web1: made anew\n" in out


def test_a_volume_that_grows_says_what_to_do_in_the_guest(dom0: Dom0) -> None:
    dom0.volumes(SRV | {"lv_size": str(90 * EXTENT)}, DISK | {"lv_size": str(900 * EXTENT)})
    _, out, _ = dom0.domu("plan")
    assert "web1   vg0/web1-srv   grow   360.0 MiB -> 400.0 MiB" in out
    assert "Afterwards, in the guest:\n  web1: /dev/xvda is larger; its partitions stay as they are" in out
    assert "  web1: resize2fs /dev/xvdb" in out
    dom0.guest("web1", WEB1.replace("400M", "400M, filesystem: xfs, mount: /srv"))
    assert "  web1: xfs_growfs /srv" in dom0.domu("plan")[1]


def test_apply_creates(dom0: Dom0) -> None:
    status, _, err = dom0.domu("apply")
    assert status == FINE
    assert "create vg0/web1-disk: 3.9 GiB, 1000 extents" in err
    assert dom0.called[0] == "mkfs.ext4 -V"  # is it there, before anything is touched
    made = [line.split()[0] for line in dom0.called[1:]]
    assert made == ["lvcreate", "lvchange", "lvcreate", "mkfs.ext4", "lvchange"]


def test_dry_run_prints_the_commands(dom0: Dom0) -> None:
    status, out, _ = dom0.domu("apply", "--dry-run", "--rebuild")
    assert status == FINE
    assert (
        "\n# create vg0/web1-disk: 3.9 GiB, 1000 extents\nlvcreate --yes --wipesignatures y --zero y --extents 1000"
        in out
    )
    assert dom0.called == []


def test_dry_run_quotes_for_the_shell(dom0: Dom0) -> None:
    dom0.volumes(SRV, DISK)
    _, out, _ = dom0.domu("apply", "--dry-run", "--rebuild")
    assert f"""lvremove --yes --select 'lv_uuid="{DISK["lv_uuid"]}" && lv_tags={{"domu"}}' vg0\n""" in out


def test_destroying_takes_the_guests_name(dom0: Dom0) -> None:
    dom0.volumes(SRV, DISK)
    for words in ([], ["--yes", "db1"]):
        status, _, err = dom0.domu("apply", "--rebuild", *words)
        assert (status, err) == (FINDINGS, "nothing was touched; to destroy it, add: --yes web1\n")
    assert dom0.called == []
    status, _, err = dom0.domu("apply", "--rebuild", "--yes", "web1")
    # The report of this LVM never changes, so the volume is still there afterwards.
    assert (status, [line.split()[0] for line in dom0.called]) == (FINDINGS, ["lvremove"])
    assert "vg0/web1-disk is still there" in err


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "called"), [("web1\n", ["lvremove"]), ("yes\n", []), ("\n", [])])
def test_on_a_terminal_the_name_is_asked_for(
    dom0: Dom0, monkeypatch: pytest.MonkeyPatch, typed: str, called: Sequence[str]
) -> None:
    dom0.volumes(SRV, DISK)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    dom0.domu("apply", "--rebuild")
    assert [line.split()[0] for line in dom0.called] == called


def test_adopt(dom0: Dom0) -> None:
    dom0.volumes(SRV, DISK | {"lv_tags": ""})
    status, out, _ = dom0.domu("apply", "--adopt", "vg0/web1-disk")
    assert status == FINE
    assert "web1   vg0/web1-disk  stay   3.9 GiB    taken as domu's" in out
    assert dom0.called == ["lvchange --addtag domu --addtag domu.disk --addtag domu.guest=web1 vg0/web1-disk"]


def test_json(dom0: Dom0) -> None:
    dom0.guest("web1", WEB1 + "thin_pool: thin\n")
    dom0.volumes(SRV, DISK, pool())
    status, out, _ = dom0.domu("plan", "--rebuild", "--json")
    data: Any = json.loads(out)
    assert (status, data["ok"], data["purpose"]) == (FINE, True, "rebuild")
    assert [one["action"] for one in data["volumes"]] == ["recreate", "keep"]
    assert data["destroyed"] == [
        {"guest": "web1", "volume": "vg0/web1-disk", "size_bytes": 1000 * EXTENT, "why": "made anew"}
    ]
    assert data["pools"][0]["data_percent_after"] > data["pools"][0]["data_percent"] == 10.0
    assert [step["commands"][0][0] for step in data["steps"]] == ["lvremove", "lvcreate"]
    assert [finding["code"] for finding in data["findings"]] == ["V118"]


def test_apply_json_prints_nothing_but_json(dom0: Dom0) -> None:
    _, out, _ = dom0.domu("apply", "--json", "--dry-run")
    assert json.loads(out)["ok"] is True
    assert dom0.called == []


def test_a_tool_that_fails_is_said_with_its_command(dom0: Dom0) -> None:
    dom0.program("lvcreate", "echo '  Insufficient free space' >&2; exit 5")
    status, _, err = dom0.domu("apply")
    assert status == FINDINGS
    assert "domu: lvcreate failed: Insufficient free space\n" in err
    assert "run this again: it goes on from there. The command was: lvcreate --yes" in err


def test_lvm_that_fails_is_an_error(dom0: Dom0) -> None:
    dom0.program("lvm", "echo 'no permission' >&2; exit 5")
    status, _, err = dom0.domu("plan")
    assert (status, err) == (FINDINGS, "domu: LVM could not be read: no permission\n  try: vgs; it takes root\n")


def test_an_unsound_profile_is_refused(dom0: Dom0) -> None:
    dom0.guest("db1", "colour: blue\n")
    status, _, err = dom0.domu("plan")
    assert status == FINDINGS
    assert "P030" in err
    assert dom0.domu("plan", "web1")[0] == FINE


def test_thin_without_a_pool_and_names_of_lvms_own_are_errors_of_the_profile(dom0: Dom0) -> None:
    dom0.guest("web1", "disk: {thin: true, volume: web1_tdata}\nvolumes: [{name: srv, size: 1G, thin: true}]\n")
    status, _, err = dom0.domu("plan")
    assert status == FINDINGS
    assert err.count("P120") == 2
    assert "P112" in err


def test_a_recipe_that_does_not_fit_is_a_refusal_here_too(dom0: Dom0) -> None:
    dom0.guest("web1", WEB1.replace("minimum: 1G", "minimum: 9G"))
    status, out, _ = dom0.domu("plan")
    assert status == FINDINGS
    assert "R303" in out
