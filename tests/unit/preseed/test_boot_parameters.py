"""The installer's kernel command line: how long it may be, and how many parameters it may have."""

from __future__ import annotations

import pytest

from builder.preseed.boot_parameters import LONGEST, check_boot_parameters
from builder.profile.model import GuestType

MANY = " ".join(f"a/q{number}=x" for number in range(30))


@pytest.mark.parametrize(
    ("line", "guest_type", "codes"),
    [
        pytest.param("console=hvc0 auto=true priority=critical", "pv", [], id="short"),
        pytest.param("x" * 1023, "pv", [], id="as long as a PV guest gets"),
        pytest.param("x" * 1024, "pv", ["L701"], id="a byte longer"),
        pytest.param("\u00e9" * 512, "pv", ["L701"], id="bytes count, not letters"),
        pytest.param("x" * 1024, "pvh", [], id="PVH takes more"),
        pytest.param("x" * 2048, "hvm", ["L701"], id="Linux takes 2047"),
        pytest.param(MANY, "pv", [], id="thirty parameters"),
        pytest.param(f"{MANY} locale=C", "pv", ["L702"], id="one more"),
        pytest.param(f"{MANY} console=hvc0 net.ifnames=0 quiet", "pv", [], id="the kernel's own do not count"),
        pytest.param(f"{MANY} --- {MANY}", "pv", [], id="nor do those of the installed system"),
        pytest.param("mirror/http/proxy= auto=true", "pv", ["L703"], id="an empty answer"),
        pytest.param("mirror/http/proxy?= auto=true", "pv", [], id="an empty answer that is not to be seen"),
    ],
)
def test_command_lines(line: str, guest_type: GuestType, codes: list[str]) -> None:
    assert [finding.code for finding in check_boot_parameters(line, guest_type)] == codes


def test_every_guest_type_has_a_length() -> None:
    assert set(LONGEST) == {"pv", "pvh", "hvm"}
