"""What the installer is made to say of its logs, by its own shell: in a chroot of the netboot initrds, no boot.

Needs root for the chroot, and the Debian archive for the initrd.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.debconf import NetbootRoot
from tests.media import netboot_media
from tests.watching import expect, play

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot into the initrd needs root"),
]


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_logs_are_told_when_they_stand_still(suite: str, tmp_path: Path) -> None:
    installer = NetbootRoot(netboot_media(suite, tmp_path).initrd.path, tmp_path / "root")
    (installer.root / "dev/null").touch()
    expect(play(installer.root, installer.run))
