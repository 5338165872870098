"""The next boot: what ifupdown, nft and sysctl make of the written files is what `apply` had laid."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.xen.network.places import INTERFACES, RULES, SYSCTLS
from tests.netns import FAR4, FAR6, world
from tests.netsite import DOM0, GUESTS, Machine, lay_site

SOME = {name: GUESTS[name] for name in ("b1", "b2", "alone", "n1", "n2", "n3")}


def test_after_a_boot_there_is_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, root = lay_site(tmp_path / "site", DOM0, SOME), tmp_path / "root"
    with world(tmp_path) as made:
        Machine(made, site, root, capsys).apply()
    with world(tmp_path) as made:  # another kernel's worth of network: nothing of the above is left
        dom0 = made["dom0"]
        dom0.ip("address flush dev eth0")
        (tmp_path / "ifstate").mkdir()
        dom0.run("nft", "--file", root / RULES[1:])
        places = ("--interfaces", root / INTERFACES[1:], "--state-dir", tmp_path / "ifstate")
        dom0.run("ifup", "--all", *places)
        dom0.run("sysctl", "--quiet", "--load", root / SYSCTLS[1:])
        assert dom0.pings(FAR4)
        assert dom0.pings(FAR6)
        machine = Machine(made, site, root, capsys)
        assert "nothing to do" in machine.domu("apply")
        # and what the boot laid is taken away as well as what `apply` laid
        machine.domu("remove", "--yes")
        assert "xenbr0" not in {one["ifname"] for one in dom0.shown("link show")}
