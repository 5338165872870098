"""Which boot method which guest gets, and which guests none can start."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from builder.profile.model import Arch, GuestType, Suite
from builder.profile.rules import BOOTLOADERS
from builder.xen.boot import AUTO, LONGEST_LINE, METHODS, boot_of, check_boot, installed_line
from builder.xen.config import quoted, render_install_config, render_run_config
from tests.guests import guest


@pytest.mark.parametrize(
    ("kind", "suite", "method"),
    [
        ("pv", "bookworm", "pvgrub"),
        ("pv", "trixie", "pygrub"),
        ("pvh", "bookworm", "pvhgrub"),
        ("pvh", "trixie", "pvhgrub"),
        ("hvm", "bookworm", "firmware"),
        ("hvm", "trixie", "firmware"),
    ],
)
def test_auto_is_a_method_that_works(kind: str, suite: str, method: str) -> None:
    one = guest(type=kind, suite=suite)
    boot, why = boot_of(one)
    assert boot.method == method
    assert list(check_boot(one)) == []
    config = render_run_config(one)
    assert f"# Boot method {method}: " in config
    assert why in config


def test_the_table_of_auto_names_methods_that_fit_their_type() -> None:
    for (_arch, kind, _suite), (method, why) in AUTO.items():
        assert method in BOOTLOADERS[kind]
        assert why
    every = set(product(get_args(Arch), get_args(GuestType), get_args(Suite)))
    missing = {(arch, kind) for arch, kind, _suite in every - AUTO.keys()}
    assert missing == {("arm64", "pv"), ("arm64", "hvm")}  # which Xen does not have


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_asked_for(method: str) -> None:
    kind = next(kind for kind, fitting in BOOTLOADERS.items() if method in fitting)
    one = guest(type=kind, suite="bookworm", bootloader=method, kernel_args=["root=/dev/xvda1"])
    assert list(check_boot(one)) == []
    assert f"# Boot method {method}: " in render_run_config(one)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"arch": "arm64"}, "X101", id="no PV on arm64"),
        pytest.param({"bootloader": "pvgrub"}, "X102", id="zstd and GRUB for PV"),
        pytest.param({"bootloader": "direct"}, "X103", id="direct without root"),
        pytest.param({"kernel_args": ["x" * 190] * 6}, "X104", id="too long for PV"),
    ],
)
def test_what_cannot_start_is_found(changes: dict[str, Any], code: str) -> None:
    (finding,) = check_boot(guest(changes))
    assert (finding.code, finding.guest) == (code, "web1")
    assert finding.hint


@pytest.mark.parametrize("kind", LONGEST_LINE)
def test_a_command_line_may_be_as_long_as_xen_takes_it(kind: str) -> None:
    room = LONGEST_LINE[kind] - len(installed_line(guest(type=kind)))
    words = ["y" * 150] * (room // 151)
    words += ["z" * (room - 151 * len(words) - 1)]
    assert list(check_boot(guest(type=kind, kernel_args=words))) == []
    (finding,) = check_boot(guest(type=kind, kernel_args=[*words[:-1], f"{words[-1]}z"]))
    assert finding.code == "X104"


def test_the_installer_sees_no_data_volume_and_no_secret() -> None:
    one = guest(
        volumes=[{"name": "data", "size": "1G", "mount": "/srv"}],
        root={"password": "$y$j9T$" + "a" * 22 + "$" + "b" * 43},
    )
    install = render_install_config(one)
    assert "data" not in install
    assert "$y$" not in install + render_run_config(one)


@pytest.mark.parametrize("bad", ["a\nb", "a\0", "\x7f", "\u2028", "\udc80"])
def test_what_an_xl_config_cannot_hold_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not printable"):
        quoted(bad)
