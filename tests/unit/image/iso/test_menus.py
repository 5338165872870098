"""The block that starts an unattended installation."""

from __future__ import annotations

import pytest

from builder.image.iso.menus import BEGIN, END, LONGEST_DELAY, Loader, Menu, has_block, with_block

PATHS = ("/install.amd/vmlinuz", "/install.amd/initrd.gz", "/install.amd/original.gz")
VESA = "path \ninclude menu.cfg\ndefault vesamenu.c32\nprompt 0\ntimeout 0\n"
GRUB = "menuentry 'Install' {\n    linux /install.amd/vmlinuz --- quiet\n}\n"


def menu(delay: int = 5, **more: tuple[str, ...] | str) -> Menu:
    return Menu(*PATHS, delay, **more)  # type: ignore[arg-type]  # keywords of two types


@pytest.mark.parametrize(
    ("text", "loader", "delay", "lines"),
    [
        pytest.param(
            VESA, "isolinux", 7, ["prompt 0", "timeout 70", "ontimeout unattended"], id="isolinux with a menu"
        ),
        pytest.param(VESA, "isolinux", 0, ["default unattended", "prompt 0", "timeout 0"], id="isolinux at once"),
        pytest.param(
            "default install\n", "isolinux", 7, ["default unattended", "prompt 1", "timeout 70"], id="no menu"
        ),
        pytest.param(GRUB, "grub", 7, ["set default=unattended", "set timeout=7"], id="grub"),
        pytest.param(GRUB, "grub", 0, ["set timeout_style=hidden", "set timeout=0"], id="grub at once"),
    ],
)
def test_how_it_starts(text: str, loader: Loader, delay: int, lines: list[str]) -> None:
    block = with_block(text, loader, menu(delay)).removeprefix(text).splitlines()
    assert block[0] == BEGIN
    assert block[-1] == END
    assert [line for line in block if line in lines] == lines


@pytest.mark.parametrize("loader", ["isolinux", "grub"])
def test_what_was_there_stays_above(loader: Loader) -> None:
    assert with_block(VESA, loader, menu()).startswith(VESA)
    assert with_block("no newline", loader, menu()).startswith(f"no newline\n{BEGIN}\n")


@pytest.mark.parametrize("loader", ["isolinux", "grub"])
def test_a_second_block_replaces_the_first(loader: Loader) -> None:
    once = with_block(VESA, loader, menu(9, guest="db1"))
    assert has_block(once)
    assert not has_block(VESA)
    assert with_block(once, loader, menu()) == with_block(VESA, loader, menu())


@pytest.mark.parametrize("loader", ["isolinux", "grub"])
def test_the_entry_by_hand_has_none_of_our_files(loader: Loader) -> None:
    text = with_block("", loader, menu(guest="web1", arguments=("priority=critical",), shared=("console=ttyS0",)))
    unattended, by_hand = text.split("Installation by hand")
    assert "web1" in unattended
    assert "priority=critical" in unattended
    assert "/initrd.gz" in unattended
    assert "original.gz" not in unattended
    assert "original.gz" in by_hand
    assert "/initrd.gz" not in by_hand
    assert "priority=critical" not in by_hand
    assert "console=ttyS0" in by_hand


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"arguments": ("a b",)}, id="two words"),
        pytest.param({"arguments": ("a;reboot",)}, id="a second command"),
        pytest.param({"shared": ("$prefix",)}, id="a variable"),
        pytest.param({"shared": ("a\nlabel b",)}, id="a second line"),
        pytest.param({"guest": "it's"}, id="a quote in the name"),
        pytest.param({"delay": -1}, id="negative"),
        pytest.param({"delay": LONGEST_DELAY + 1}, id="longer than isolinux counts"),
    ],
)
def test_what_no_menu_can_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no kernel argument|no guest's name|a delay is"):
        Menu(*PATHS, **{"delay": 5, **wrong})  # type: ignore[arg-type]  # on purpose
