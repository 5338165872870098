"""`domu plan` against a made-up dom0: a real build beside it, recorded outputs of xl and lvm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.cli.app import FINDINGS, call, load_commands
from builder.errors import BuilderError
from builder.host.run import LIMIT, Completed, run
from builder.host.site import Site
from builder.image.manifest import Manifest, Output, digest, render_manifest
from builder.plan.rebuild import RebuildPlan
from builder.profile.model import derived_uuid
from builder.report.plan import plan_data, plan_text
from builder.workflows.build import own_inputs
from builder.workflows.check import check
from builder.workflows.plan import plan
from tests import journals
from tests.dom0s import MadeUp, good_dom0
from tests.lvm_reports import lv, report, text
from tests.xl import DOM0, LONG_HEAD, row

PAGE = Path(__file__).parent.parent.parent / "docs/plan.md"
PROFILE = """\
suite: trixie
memory: 1G
volume_group: vg0
nics: [{bridge: xenbr0}]
mirror: http://mirror.example.org/debian
proxy: none
disk: {size: 4000M, partitions: [{mount: /, minimum: 1G}]}
volumes: [{name: srv, size: 400M, mount: /srv}]
ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i nobody@example.org]
"""
DISK = lv("web1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=web1")
SRV = lv("web1-srv", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=srv")


@dataclass
class Host:
    """A site with a built guest, and the dom0 it is planned for; what parses scripts is the real sh."""

    site: Site
    made: MadeUp

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        if argv[0] in {"xl", "lvm", "df"}:
            return self.made(argv, stdin=stdin, limit=limit, env=env)
        return run(argv, stdin=stdin, limit=limit, env=env)

    def plan(self) -> RebuildPlan:
        return plan(self.site, (), environment={}, runner=self, root=self.made.root)

    def build(self) -> None:
        """A folder as `domu build` leaves it, with little in it."""
        (artefacts,) = check(self.site, (), runner=run).artefacts
        folder = self.site.build / "web1"
        folder.mkdir(parents=True)
        outputs = {}
        for name in ("vmlinuz", "initrd.gz", "web1.install.cfg", "web1.cfg"):
            (folder / name).write_text(name)
            outputs[name] = Output(digest(name), len(name))
        manifest = Manifest("web1", {**own_inputs(artefacts, {}), "installer": "any"}, outputs)
        (folder / "manifest.json").write_text(render_manifest(manifest))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    site = Site(tmp_path / "site")
    site.profiles.mkdir(parents=True)
    (site.profiles / "web1.yaml").write_text(PROFILE)
    made = good_dom0(tmp_path / "dom0")
    made.says("lvm fullreport", text(report((DISK, SRV))))
    made.room()
    found = Host(site, made)
    found.build()
    return found


def test_a_rebuild_in_words(host: Host) -> None:
    found = host.plan()
    assert found.findings == ()
    said = plan_text(found, commands=True)
    assert "This would DESTROY what is on:\n  vg0/web1-disk  3.9 GiB  web1: made anew" in said
    assert "These stay as they are:\n  vg0/web1-srv  400.0 MiB  web1: /srv" in said
    assert "        xl create /var/lib/domu/web1/web1.install.cfg" in said
    assert json.loads(json.dumps(plan_data(found)))["ok"] is True


def test_the_page_shows_what_the_command_says(host: Host) -> None:
    address = "nics: [{bridge: xenbr0, ipv4: {address: 192.0.2.10/24, gateway: 192.0.2.1}}]\ndns: [192.0.2.53]"
    (host.site.profiles / "web1.yaml").write_text(PROFILE.replace("nics: [{bridge: xenbr0}]", address))
    shutil.rmtree(host.site.build)
    host.build()
    domain = row("web1", more=f" {derived_uuid('web1')}        -                -")
    host.made.says("xl list --verbose", LONG_HEAD + DOM0 + domain)
    steps = host.plan().guests[0].steps
    earlier = [journals.records("web1", steps, [12 * factor, 1, 2, 1, 1540 * factor, 1, 31]) for factor in (1, 1.2)]
    host.made.write("/var/lib/domu/runs/web1/journal", "".join(map(journals.text, earlier)))
    assert f"$ domu plan web1\n{plan_text(host.plan())}\n```" in PAGE.read_text()


def test_nothing_is_changed(host: Host, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    host.plan()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        pytest.param("memory: 1G", "memory: 2G", "the profile changed", id="profile"),
        pytest.param("proxy: none", "proxy: http://cacher.example.org:3142", "the profile changed", id="proxy"),
    ],
)
def test_a_build_that_is_older_than_its_profile_is_refused(host: Host, old: str, new: str, why: str) -> None:
    (host.site.profiles / "web1.yaml").write_text(PROFILE.replace(old, new))
    (finding,) = host.plan().findings
    assert finding.code == "G102"
    assert finding.message.endswith((why, "the mirror or the proxy changed"))


def test_an_artefact_that_was_edited_is_refused(host: Host) -> None:
    (host.site.build / "web1/web1.cfg").write_text("edited by hand")
    (finding,) = host.plan().findings
    assert finding.message.endswith("web1.cfg was changed after it was built")


def test_an_artefact_that_is_missing_is_refused(host: Host) -> None:
    (host.site.build / "web1/vmlinuz").unlink()
    (finding,) = host.plan().findings
    assert finding.message.endswith("vmlinuz is missing")


def test_a_guest_that_is_not_built_is_refused(host: Host) -> None:
    (host.site.build / "web1/manifest.json").unlink()
    (finding,) = host.plan().findings
    assert finding.code == "G101"


def test_files_that_are_in_place_are_not_copied_again(host: Host) -> None:
    for name in ("vmlinuz", "initrd.gz", "web1.install.cfg", "web1.cfg"):
        host.made.write(f"/var/lib/domu/web1/{name}", name)
    assert "copy kernel" not in plan_text(host.plan())


def test_off_a_dom0_there_is_nothing_to_plan(host: Host, tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match="this machine is no dom0"):
        plan(host.site, (), environment={}, runner=host, root=tmp_path / "nothing")


def test_what_xl_does_not_tell_is_an_error(host: Host) -> None:
    host.made.fails("xl list", "xl: something new")
    with pytest.raises(BuilderError, match="something new"):
        host.plan()


def test_the_command_on_a_machine_without_xen(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    load_commands()
    if Path("/proc/xen/capabilities").exists():
        pytest.skip("this machine runs Xen")
    assert call(["--site", str(host.site.root), "plan"]) == FINDINGS
    assert "this machine is no dom0" in capsys.readouterr().err
