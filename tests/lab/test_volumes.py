"""Storage plans on the lab's real volume group, with a device mapper and Xen: decided here, carried out in dom0."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.errors import RefusalError
from builder.host.run import LIMIT, Completed
from builder.host.site import Site
from builder.progress import Silence
from builder.storage.facts import LogicalVolume, report_arguments
from builder.storage.storage_plan import StoragePlan
from builder.units import Size
from builder.workflows.volumes import VolumeOrder, apply, plan
from tests.lab.dom0 import VOLUME_GROUP, Lab
from tests.profiles import as_yaml

pytestmark = pytest.mark.lab

GUEST, POOL = "vols", "vols-pool"
RECIPE = [{"mount": "/", "minimum": "40MB"}]
OLD = "bytes of an old guest"
MIB = 1 << 20


class Dom0:
    """The runner, by ssh; and a site here whose guest lives there."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.site, self.root = lab, Site(folder / "site"), folder / "root"
        self.site.profiles.mkdir(parents=True)
        (self.root / "proc/self").mkdir(parents=True)
        shared = {"suite": "trixie", "memory": "1G", "nics": [{"bridge": "xenbr0"}], "volume_group": VOLUME_GROUP}
        (self.site.profiles / "site.yaml").write_text(as_yaml(shared))

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        del env
        answer = self.lab.ask(shlex.join(argv), stdin=stdin, limit=max(limit, 300.0))
        return Completed(tuple(argv), answer.status, answer.out.encode(), answer.err.encode())

    def guest(self, size: str = "48M", **fields: Any) -> None:
        profile = {"disk": {"size": size, "partitions": RECIPE}} | fields
        (self.site.profiles / f"{GUEST}.yaml").write_text(as_yaml(profile))

    def plan(self, **order: Any) -> StoragePlan:
        for name in ("self/mountinfo", "swaps"):
            (self.root / "proc" / name).write_text(self.lab.read(f"/proc/{name}"))
        return plan(self.site, VolumeOrder(**order), runner=self, root=self.root)

    def apply(self, **order: Any) -> StoragePlan:
        shown = self.plan(**order)
        apply(self.site, VolumeOrder(**order), shown, progress=Silence(), runner=self, root=self.root)
        return shown

    def volume(self, name: str) -> LogicalVolume:
        found = self.facts().get(name)
        assert found, f"there is no {name}"
        return found

    def facts(self) -> dict[str, LogicalVolume]:
        from builder.host.lvm import read_storage

        return {volume.name: volume for volume in read_storage(self, self.root).volumes()}

    def device(self, name: str) -> str:
        return f"/dev/{VOLUME_GROUP}/{name}"

    def write(self, name: str, at: int) -> None:
        """The old guest's bytes, at so many MiB."""
        line = (
            f"printf %s {shlex.quote(OLD)} | dd of={self.device(name)} bs=1M seek={at} conv=notrunc,fsync status=none"
        )
        self.lab.run(line)

    def holds_old_bytes(self, name: str) -> bool:
        """Whether they can be read anywhere in a volume."""
        return self.lab.ask(f"grep -q -a {shlex.quote(OLD)} {self.device(name)}").status == 0


def clear(lab: Lab) -> None:
    """What this test made, and what one that was ended early left."""
    lab.ask("umount /mnt/vols 2>/dev/null; xl block-detach 0 xvdz 2>/dev/null")
    lab.ask(f"lvremove -qq --yes --select 'lv_name=~^{GUEST}' {VOLUME_GROUP}")


@pytest.fixture
def dom0(lab: Lab, tmp_path: Path) -> Iterator[Dom0]:
    clear(lab)
    yield Dom0(lab, tmp_path)
    clear(lab)


def codes(planned: StoragePlan) -> list[str]:
    return [finding.code for finding in planned.findings]


SRV = {"name": "srv", "size": "64M"}


def test_thick_made_used_grown_and_made_anew(dom0: Dom0) -> None:
    dom0.guest(volumes=[SRV])
    dom0.apply()
    made = dom0.facts()
    assert made["vols-srv"].tags == {"domu", "domu.guest=vols", "domu.volume=srv", "domu.keep"}
    assert (made["vols-srv"].state.is_active, made["vols-srv"].is_open) == (True, False)
    assert dom0.plan().steps == ()
    # In use in the guest's stead: it grows all the same, and its file system after it.
    dom0.lab.run(f"mkdir -p /mnt/vols && mount {dom0.device('vols-srv')} /mnt/vols && echo kept >/mnt/vols/file")
    dom0.guest(volumes=[SRV | {"size": "128M"}], wipe="zero")
    dom0.apply()
    dom0.lab.run(f"resize2fs {dom0.device('vols-srv')}")
    assert (
        int(dom0.lab.run("stat -f -c %b*%S /mnt/vols | bc 2>/dev/null || df -B1 --output=size /mnt/vols | tail -1"))
        > 100 * MIB
    )
    held = dom0.plan(purpose="rebuild")
    assert [decision.action for decision in held.decisions] == ["recreate", "keep"]
    dom0.apply(purpose="rebuild")
    after = dom0.facts()
    assert after["vols-disk"].uuid != made["vols-disk"].uuid
    assert after["vols-srv"].uuid == made["vols-srv"].uuid
    assert dom0.lab.run("cat /mnt/vols/file") == "kept\n"
    assert dom0.plan().steps == ()


@pytest.mark.parametrize(("wipe", "left"), [("signatures", True), ("zero", False)])
def test_a_new_guest_reads_no_old_bytes_where_that_is_wished(dom0: Dom0, wipe: str, *, left: bool) -> None:
    dom0.lab.run(f"lvcreate --yes -qq -n vols-old -l 12 {VOLUME_GROUP}")
    dom0.write("vols-old", 20)
    dom0.lab.run(f"lvremove --yes -qq {VOLUME_GROUP}/vols-old")
    dom0.guest(wipe=wipe)
    dom0.apply()
    assert dom0.holds_old_bytes("vols-disk") is left


def test_signatures_are_wiped(dom0: Dom0) -> None:
    """lvcreate finds the old ones, answers itself, and leaves none."""
    dom0.lab.run(f"lvcreate --yes -qq -n vols-old -l 12 {VOLUME_GROUP} && mkfs.ext4 -q {dom0.device('vols-old')}")
    dom0.lab.run(f"lvremove --yes -qq {VOLUME_GROUP}/vols-old")
    dom0.guest()
    dom0.apply()
    assert dom0.lab.run(f"wipefs {dom0.device('vols-disk')}") == ""


def test_what_is_in_use_is_not_destroyed(dom0: Dom0) -> None:
    dom0.guest()
    dom0.apply()
    device = dom0.device("vols-disk")
    dom0.lab.run(f"mkfs.ext4 -q {device} && mkdir -p /mnt/vols && mount {device} /mnt/vols")
    (finding,) = dom0.plan(purpose="rebuild").findings
    assert (finding.code, finding.message) == ("V107", f"{VOLUME_GROUP}/vols-disk is in use: mounted on /mnt/vols")
    dom0.lab.run("umount /mnt/vols")
    shown = dom0.plan(purpose="rebuild")
    # A domain: dom0 itself, through the same backend that guests have.
    dom0.lab.run(f"xl block-attach 0 phy:{device},xvdz,w")
    assert codes(dom0.plan(purpose="rebuild")) == ["V107"]
    with pytest.raises(RefusalError):
        apply(dom0.site, VolumeOrder(purpose="rebuild"), shown, progress=Silence(), runner=dom0, root=dom0.root)
    assert dom0.facts()["vols-disk"].uuid == shown.decisions[0].found.uuid  # type: ignore[union-attr]  # it was there
    dom0.lab.run("xl block-detach 0 xvdz")


def test_foreign_volumes_snapshots_and_adoption(dom0: Dom0) -> None:
    dom0.lab.run(f"lvcreate --yes -qq -n vols-disk -l 12 {VOLUME_GROUP}")
    dom0.guest()
    assert codes(dom0.plan(purpose="rebuild")) == ["V104"]
    dom0.apply(adopt=(f"{VOLUME_GROUP}/vols-disk",))
    dom0.lab.run(f"lvcreate --yes -qq --snapshot -n vols-snap -l 4 {VOLUME_GROUP}/vols-disk")
    snapshot = dom0.volume("vols-snap")
    assert (snapshot.state.kind, snapshot.origin) == ("snapshot", "vols-disk")
    assert codes(dom0.plan(purpose="rebuild")) == ["V108"]
    dom0.guest(size="64M")
    assert codes(dom0.plan()) == ["V108"]


def test_thin(dom0: Dom0) -> None:
    dom0.lab.run(f"lvcreate --yes -qq --type thin-pool -l 60 -n {POOL} {VOLUME_GROUP}")
    dom0.guest(thin_pool=POOL, wipe="zero", volumes=[SRV])
    assert dom0.apply().pools[0].data == 0
    disk = dom0.volume("vols-disk")
    assert (disk.is_thin, disk.pool) == (True, POOL)
    assert disk.data_percent == 0
    dom0.write("vols-disk", 20)
    dom0.guest(thin_pool=POOL, wipe="zero", volumes=[SRV | {"size": "100M"}], size="64M")
    dom0.apply(purpose="rebuild")
    anew = dom0.volume("vols-disk")
    assert anew.uuid != disk.uuid
    assert (anew.size, dom0.volume("vols-srv").size) == (Size.parse("64M"), Size.parse("100M"))
    assert not dom0.holds_old_bytes("vols-disk")
    assert dom0.plan().steps == ()
    # 240 MiB of pool: a guest that fills four fifths of it at once is one too many.
    (use,) = dom0.plan(purpose="rebuild").pools
    assert use.data_after > use.data >= 0
    dom0.guest(thin_pool=POOL, thin_watermark="10%", size="64M", volumes=[SRV | {"size": "100M"}])
    assert "V111" in codes(dom0.plan(purpose="rebuild"))
    inactive = dom0.lab.run(
        f"lvchange --activate n {VOLUME_GROUP}/{GUEST}-disk && lvs --noheadings -o lv_attr {VOLUME_GROUP}/{GUEST}-disk"
    )
    assert inactive.strip()[4:6] == "--"
    assert dom0.plan().steps[0].__class__.__name__ == "ActivateVolume"


def test_a_real_report_is_read(dom0: Dom0, request: pytest.FixtureRequest) -> None:
    """With --regenerate it is kept, for tests without a lab."""
    dom0.lab.run(f"lvcreate --yes -qq --type thin-pool -l 60 -n {POOL} {VOLUME_GROUP}")
    dom0.guest(thin_pool=POOL, volumes=[SRV | {"thin": False}])
    dom0.apply()
    device = dom0.device("vols-srv")
    dom0.lab.run(f"lvcreate --yes -qq --snapshot -n vols-snap -l 4 {VOLUME_GROUP}/vols-srv")
    dom0.lab.run(f"lvcreate --yes -qq --snapshot -n vols-thinsnap {VOLUME_GROUP}/vols-disk")
    dom0.lab.run(f"mkdir -p /mnt/vols && mount {device} /mnt/vols")
    text = dom0.lab.run(shlex.join(("lvm", *report_arguments())))
    mounts = dom0.lab.read("/proc/self/mountinfo")
    if request.config.getoption("--regenerate"):
        folder = Path(__file__).parents[1] / "data/lvm"
        folder.mkdir(exist_ok=True)
        (folder / "dom0-report.json").write_text(text)
        (folder / "dom0-mountinfo").write_text(mounts)
    kinds = {name: volume.state.kind for name, volume in dom0.facts().items() if name.startswith("vols")}
    assert kinds["vols-srv"] == "snapshot origin"
    assert kinds["vols-snap"] == "snapshot"
    assert kinds["vols-disk"] == kinds["vols-thinsnap"] == "thin volume"
    assert kinds[POOL] == "thin pool"
