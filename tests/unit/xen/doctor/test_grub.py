"""GRUB's menu as grub-mkconfig writes it: which entry a plain start takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.xen.doctor.grub import parse_grub, parse_grubenv
from tests.dom0s import GRUB_CFG

XEN = "Debian GNU/Linux, with Xen hypervisor"
BELOW = "Debian GNU/Linux, with Xen 4.17-amd64 and Linux 6.1.0-30-amd64"
ADVANCED = "Advanced options for Debian GNU/Linux (with Xen hypervisor)"


@pytest.mark.parametrize(
    ("default", "title", "is_xen"),
    [
        ("0", "Debian GNU/Linux", False),
        ("2", XEN, True),
        (XEN, XEN, True),
        ("xen-gnulinux-simple-0123", XEN, True),
        ("1>0", "Debian GNU/Linux, with Linux 6.1.0-30-amd64", False),
        ("3>0>0", BELOW, True),
        ("3>0", BELOW, True),
        (f"{ADVANCED}>Xen hypervisor, version 4.17-amd64>{BELOW}", BELOW, True),
        ("gone", "Debian GNU/Linux", False),
        ("9", "Debian GNU/Linux", False),
        ("2>gone", "Debian GNU/Linux", False),
        ("", "Debian GNU/Linux", False),
    ],
)
def test_the_default_is_found_by_number_title_and_id(default: str, title: str, *, is_xen: bool) -> None:
    menu = parse_grub(GRUB_CFG.replace("DEFAULT", default))
    assert (menu.chosen.title, menu.chosen.is_xen) == (title, is_xen)
    assert menu.has_xen


@pytest.mark.parametrize("written", ["${saved_entry}", "$saved_entry"])
def test_a_saved_default_comes_from_grubenv(written: str) -> None:
    environment = parse_grubenv(f"# GRUB Environment Block\nsaved_entry={XEN}\n#######")
    assert parse_grub(GRUB_CFG.replace("DEFAULT", written), environment).chosen.is_xen
    assert not parse_grub(GRUB_CFG.replace("DEFAULT", written)).chosen.is_xen


def test_titles_with_the_sign_that_parts_menus() -> None:
    text = "submenu 'a>b' {\nmenuentry 'c>d' {\n multiboot2 /xen.gz\n}\n}\nset default='a>>b>c>>d'\n"
    assert parse_grub(text).chosen.title == "c>d"


@pytest.mark.parametrize(
    ("line", "is_xen"),
    [
        ("multiboot2 /boot/xen-4.17-amd64.gz placeholder", True),
        ("multiboot /boot/xen-4.4.gz", True),
        ("xen_hypervisor /xen-4.20-arm64.gz", True),
        ("linux /vmlinuz-6.1-xen root=/dev/xen", False),
        ("multiboot2 /memtest86", False),
        ("# multiboot2 /xen.gz", False),
        ("echo 'multiboot2 /xen.gz'", False),
    ],
)
def test_what_loads_xen(line: str, *, is_xen: bool) -> None:
    assert parse_grub(f"menuentry 'x' {{\n\t{line}\n}}\n").chosen.is_xen is is_xen


@pytest.mark.parametrize("text", ["menuentry 'x' {\n", "submenu 'x' {\nmenuentry 'y' {\n}\n", "}\n"])
def test_braces_that_do_not_match_are_refused(text: str) -> None:
    with pytest.raises(BuilderError):
        parse_grub(text)


def test_an_empty_menu_has_no_choice() -> None:
    with pytest.raises(BuilderError, match="no entry"):
        _ = parse_grub("set default=0\n").chosen


@pytest.mark.skipif(not shutil.which("grub-script-check"), reason="needs grub-script-check (grub-common)")
def test_the_menu_of_these_tests_is_one_to_grub(tmp_path: Path) -> None:
    (tmp_path / "grub.cfg").write_text(GRUB_CFG)
    subprocess.run(["grub-script-check", str(tmp_path / "grub.cfg")], check=True)
