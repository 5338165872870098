"""Adoption with real LVM: sizes, names and tags as the tools tell them, for guests of others and of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from builder.host.adopt import Sources
from builder.host.run import LIMIT, Completed, run
from builder.host.site import Site
from builder.profile.load import SourceText, load_site
from builder.profile.model import Guest
from builder.workflows.adopt import Adopted, adopt_guest
from tests.profiles import SITE, as_yaml
from tests.volume_groups import LoopGroup, loop_group

CONFIG = """\
name = "mail1"
memory = 1024
type = "pvh"
kernel = "/usr/lib/grub-xen/grub-i386-xen_pvh.bin"
disk = ["/dev/{group}/mail1-disk,raw,xvda,rw", "/dev/mapper/{group}-spool,raw,xvdb,rw", "/dev/{group}/mail1-log,,xvdc"]
vif = ["bridge=xenbr0"]
"""


class Dom0:
    """A dom0 in a folder, whose LVM is the group's."""

    def __init__(self, root: Path, group: LoopGroup) -> None:
        self.root, self.group = root, group
        self.site = Site(root / "site")
        self.site.profiles.mkdir(parents=True)
        (self.site.profiles / "site.yaml").write_text(as_yaml(SITE))
        (root / "etc/xen/auto").mkdir(parents=True)
        (root / "etc/xen/mail1.cfg").write_text(CONFIG.format(group=group.name))

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        runner = run if argv[0] == "dpkg" else self.group.run
        return runner(argv, stdin=stdin, limit=limit, env=env)

    def adopt(self) -> Adopted:
        return adopt_guest(self.site, "mail1", Sources(), dry_run=True, runner=self.run, root=self.root)

    def guest(self) -> Guest:
        site = SourceText("site.yaml", "site", (self.site.profiles / "site.yaml").read_bytes())
        loaded = load_site([site, SourceText("mail1.yaml", "mail1", self.adopt().text.encode())])
        return loaded.guests[0]


@pytest.fixture
def dom0(tmp_path: Path) -> Iterator[Dom0]:
    with loop_group(tmp_path / "lvm") as group:
        for name, extents in (("mail1-disk", 20), ("spool", 10), ("mail1-log", 5)):
            group.lvm(
                "lvcreate",
                "--wipesignatures",
                "n",
                "--zero",
                "n",
                "--extents",
                str(extents),
                "--name",
                name,
                group.name,
            )
        yield Dom0(tmp_path / "dom0", group)


def test_volumes_come_with_their_sizes_and_names(dom0: Dom0) -> None:
    guest = dom0.guest()
    assert (guest.volume_group, guest.disk_volume, str(guest.disk.size)) == (dom0.group.name, "mail1-disk", "80M")
    found = [(one.name, guest.volume_name(one), str(one.size), one.keep) for one in guest.volumes]
    assert found == [("spool", "spool", "40M", True), ("log", "mail1-log", "20M", True)]
    assert guest.autostart is False


def test_our_own_tags_say_more_than_names(dom0: Dom0) -> None:
    tags = [word for tag in ("domu", "domu.guest=mail1", "domu.volume=queue") for word in ("--addtag", tag)]
    dom0.group.lvm("lvchange", *tags, f"{dom0.group.name}/spool")
    guest = dom0.guest()
    first = guest.volumes[0]
    assert (first.name, guest.volume_name(first), first.keep) == ("queue", "spool", False)


def test_a_link_of_xendomains_is_seen(dom0: Dom0) -> None:
    (dom0.root / "etc/xen/auto/10-mail1").symlink_to("../mail1.cfg")
    assert dom0.guest().autostart is True


def test_a_volume_that_is_gone_is_told(dom0: Dom0) -> None:
    dom0.group.lvm("lvremove", "--yes", f"{dom0.group.name}/mail1-disk")
    assert "A105" in [finding.code for finding in dom0.adopt().findings]
