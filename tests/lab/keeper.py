"""Brings the whole lab up: a real apt-cacher-ng, the images, QEMU; and finds one that is up already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.host.apt import find_mirror, find_proxy
from builder.host.run import run
from builder.media.mirror import Mirror
from tests.cacher import Cacher, running_cacher
from tests.lab.dom0 import Lab, LabError, Machine, missing_programs
from tests.lab.guest import GuestDisk, make_guest
from tests.lab.image import Dom0Image, make_dom0, make_key
from tests.lab.mirror import remap, serving
from tests.lab.place import Up, lab_folder

SUITES = ("bookworm", "trixie")  # of the guests


@dataclass(frozen=True)
class Standing:
    """What there is to work with."""

    lab: Lab
    guests: tuple[GuestDisk, ...]
    archive: Mirror
    cacher_port: int
    folder: Path

    def device(self, guest: GuestDisk) -> str:
        """The disk of dom0 that holds this guest's image."""
        return f"vd{'cdefgh'[self.guests.index(guest)]}"


def archive_of_this_machine() -> Mirror:
    """The mirror that apt uses here."""
    return Mirror.parse(find_mirror(run))


@contextmanager
def own_cacher(folder: Path, archive: Mirror) -> Iterator[Cacher]:
    """An apt-cacher-ng of the lab's own, whose cache stays for the next time; behind it the lab's mirror, too."""
    upstream = find_proxy(run, mirror=archive).url
    with (
        serving(folder / "mirror", archive, upstream) as port,
        running_cacher(folder / "cacher", proxy=upstream, settings=[remap(port)]) as cacher,
    ):
        yield cacher


@contextmanager
def some_cacher(folder: Path, archive: Mirror) -> Iterator[str]:
    """The URL of the cacher of a lab that is up, else of one for this block."""
    if up := Up.read(folder):
        yield f"http://127.0.0.1:{up.cacher_port}"
    else:
        with own_cacher(folder, archive) as cacher:
            yield cacher.url


def guest_disks(folder: Path, archive: Mirror, cacher: str, suites: Sequence[str] = SUITES) -> tuple[GuestDisk, ...]:
    """Made, or there already."""
    return tuple(make_guest(suite, folder, archive=archive, cacher=cacher) for suite in suites)


@contextmanager
def brought_up(suite: str, *, guests: Sequence[str] = SUITES, fresh: bool = True) -> Iterator[Standing]:
    """The lab with a dom0 of this suite, until the block ends."""
    if missing := missing_programs():
        raise LabError(f"the lab needs {', '.join(missing)}; .ci/debian-packages lab names the packages")
    folder, archive = lab_folder(), archive_of_this_machine()
    if Up.read(folder):
        raise LabError(f"a lab is up already in {folder}")
    with own_cacher(folder, archive) as cacher:
        image = make_dom0(suite, folder, archive=archive, cacher=cacher.url)
        disks = guest_disks(folder, archive, cacher.url, guests)
        with Machine(image, cacher.port, [one.disk for one in disks], fresh=fresh) as machine:
            Up(suite, os.getpid(), machine.qemu.pid, machine.port, cacher.port).write(folder)
            try:
                yield Standing(machine.lab, disks, archive, cacher.port, folder)
            finally:
                (folder / "up.json").unlink()


def found_up() -> Standing | None:
    """A lab that another process keeps, as `python -m tests.lab up` does."""
    folder = lab_folder()
    up = Up.read(folder)
    if up is None:
        return None
    image = Dom0Image(up.suite, folder / up.suite, make_key(folder))
    archive = archive_of_this_machine()
    disks = guest_disks(folder, archive, f"http://127.0.0.1:{up.cacher_port}")
    return Standing(Lab(image, up.ssh_port), disks, archive, up.cacher_port, folder)
