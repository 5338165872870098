"""`domu network plan`: text, JSON and iptables on standard output; errors refuse."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from builder.cli import app
from tests.networks import DOM0, NICS
from tests.profiles import SITE, as_yaml, changed

app.load_commands()
ROOT = Path(__file__).parents[2]


def lay(root: Path, dom0: dict[str, object] = DOM0) -> list[str]:
    """The mixed site in a folder, and how to name it."""
    (root / "profiles").mkdir()
    (root / "profiles/dom0.yaml").write_text(as_yaml(dom0))
    for name, nics in NICS.items():
        (root / f"profiles/{name}.yaml").write_text(as_yaml({**SITE, "nics": nics, "dns": ["192.0.2.53"]}))
    return ["--site", str(root), "network", "plan"]


def test_every_file_is_printed_and_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call(lay(tmp_path)) == app.FINE
    out, err = capsys.readouterr()
    heads = [line[4:-4] for line in out.splitlines() if line.startswith("==> ")]
    assert heads == [
        "/etc/domu/network.nft",
        "/etc/network/interfaces.d/domu",
        "/etc/sysctl.d/60-domu.conf",
        "/etc/systemd/network/50-domu-trunk.link",
        "/etc/systemd/network/50-domu-xenbr0.link",
        "/etc/systemd/system/domu-network.service",
        "/etc/udev/rules.d/60-domu.rules",
        "/etc/xen/scripts/vif-post.d/domu.hook",
        "Debian packages that dom0 needs",
        "commands, in this order",
    ]
    assert out.endswith("systemctl enable domu-network.service\n")
    assert err == ""


def test_json_has_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call([*lay(tmp_path), "--json"]) == app.FINE
    data = json.loads(capsys.readouterr().out)
    assert sorted(data) == ["commands", "files", "owned", "packages", "ruleset", "sysctls", "vifs"]
    assert data["owned"] == ["xenbr0", "eth0", "natbr0", "trunk", "eth1"]
    assert [vif["name"] for vif in data["vifs"]][:3] == ["edge1.0", "edge2.0", "lan1.0"]
    hook = next(one for one in data["files"] if one["path"].endswith("domu.hook"))
    assert hook["mode"] == "0755"


def test_iptables_is_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call([*lay(tmp_path), "--iptables"]) == app.FINE
    out = capsys.readouterr().out
    assert subprocess.run(["sh", "-n"], input=out, text=True, check=False).returncode == 0
    assert "--destination 203.0.113.10 --protocol tcp --dport 8000:8010 --jump DNAT --to-destination 10.0.0.5" in out


def test_an_error_anywhere_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call(lay(tmp_path, changed(DOM0, ("networks", 2, "public"), []))) == app.FINDINGS
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("error N206") == 3
    assert "domu: there is no network plan" in err


def test_the_sample_has_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call(["--site", str(ROOT), "network", "plan"]) == app.FINE
    assert capsys.readouterr().out == (ROOT / "tests/golden/cases/dom0/sample.txt").read_text()


def test_xl_configs_follow_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = lay(tmp_path)[:2]
    assert app.call([*site, "render", "edge1", "run"]) == app.FINE
    assert "script=vif-route,ip=203.0.113.1,gatewaydev=xenbr0,vifname=edge1.0" in capsys.readouterr().out
    assert app.call([*site, "render", "web1", "network"]) == app.FINE
    assert json.loads(capsys.readouterr().out)["vifs"][0]["ipv4"]["gateway"] == "10.0.0.1"


def test_dom0_is_never_a_guest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call([*lay(tmp_path)[:2], "show", "dom0"]) == app.FINDINGS
    assert "there is no guest 'dom0'" in capsys.readouterr().err


def test_without_networks_there_is_nothing_to_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = lay(tmp_path)
    (tmp_path / "profiles/dom0.yaml").unlink()
    assert app.call(argv) == app.FINDINGS
    assert "names no networks" in capsys.readouterr().err
