"""Boot menus: an entry that starts the unattended installation by itself, and one without any of our files.

Both go into a block at the end of the menu's first file, isolinux.cfg or grub.cfg, where the last word on default and
timeout is the one that counts (SYSLINUX doc/menu.txt; GRUB runs its file like a script). What is above stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Loader = Literal["isolinux", "grub"]
# Where Debian's images have them: debian-cd, mini.iso
CONFIGS: dict[str, Loader] = {
    "/isolinux/isolinux.cfg": "isolinux",
    "/isolinux.cfg": "isolinux",
    "/boot/grub/grub.cfg": "grub",
}
LONGEST_DELAY = 3599  # seconds; isolinux counts to 35996 tenths
BEGIN, END = "# domu: begin", "# domu: end"
_BLOCK = re.compile(rf"^{BEGIN}$.*?^{END}$\n?", re.MULTILINE | re.DOTALL)
_SHOWS_MENU = re.compile(r"^\s*default\s+\S*menu\.c32\s*$", re.MULTILINE | re.IGNORECASE)
# What a kernel argument may be made of and still be one word to GRUB, isolinux and the kernel alike
_ARGUMENT = re.compile(r"[A-Za-z0-9_.,:/=+@%-]+")


@dataclass(frozen=True, slots=True)
class Menu:
    """What the block says: paths on the ISO, `delay` in seconds (0: at once), `arguments` for the kernel."""

    kernel: str
    initrd: str
    original: str
    delay: int
    guest: str = ""
    arguments: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()  # arguments of both entries

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= LONGEST_DELAY:
            raise ValueError(f"a delay is between 0 and {LONGEST_DELAY} seconds, not {self.delay}")
        for argument in (*self.arguments, *self.shared, *filter(None, (self.kernel, self.initrd, self.original))):
            if not _ARGUMENT.fullmatch(argument):
                raise ValueError(f"{argument!r} is no kernel argument that boot menus can hold")
        if not re.fullmatch(r"[A-Za-z0-9.-]*", self.guest):
            raise ValueError(f"{self.guest!r} is no guest's name")

    @property
    def title(self) -> str:
        """What a person sees."""
        return f"Unattended installation of {self.guest}" if self.guest else "Unattended installation"


BY_HAND = "Installation by hand, nothing answered"


def with_block(text: str, loader: Loader, menu: Menu) -> str:
    """The configuration with our block at its end, in the place of an earlier one."""
    rest = _BLOCK.sub("", text)
    if rest and not rest.endswith("\n"):
        rest += "\n"
    block = _isolinux(menu, shown=_SHOWS_MENU.search(rest) is not None) if loader == "isolinux" else _grub(menu)
    return f"{rest}{BEGIN}\n{block}{END}\n"


def has_block(text: str) -> bool:
    """Whether a configuration has a block of ours."""
    return _BLOCK.search(text) is not None


def _line(*words: str) -> str:
    return " ".join(words)


def _isolinux(menu: Menu, *, shown: bool) -> str:
    unattended = _line(f"initrd={menu.initrd}", *menu.arguments, *menu.shared, "---", "quiet")
    by_hand = _line(f"initrd={menu.original}", *menu.shared, "---", "quiet")
    # At once: no menu is loaded. With Shift held down there is a prompt, which takes the labels.
    start = "" if menu.delay and shown else "default unattended\n"
    start += f"prompt {int(bool(menu.delay) and not shown)}\ntimeout {menu.delay * 10}\n"
    start += "ontimeout unattended\n" if menu.delay else ""
    return (
        f"label unattended\n\tmenu label ^{menu.title}\n\tmenu default\n"
        f"\tkernel {menu.kernel}\n\tappend {unattended}\n"
        f"label original\n\tmenu label {BY_HAND}\n\tkernel {menu.kernel}\n\tappend {by_hand}\n"
        f"{start}"
    )


def _grub(menu: Menu) -> str:
    unattended = _line(menu.kernel, *menu.arguments, *menu.shared, "---", "quiet")
    by_hand = _line(menu.kernel, *menu.shared, "---", "quiet")
    # At once: Shift or Esc still brings the menu (GRUB manual, timeout_style).
    style = "" if menu.delay else "set timeout_style=hidden\n"
    return (
        f"menuentry '{menu.title}' --id unattended {{\n    set background_color=black\n"
        f"    linux    {unattended}\n    initrd   {menu.initrd}\n}}\n"
        f"menuentry '{BY_HAND}' --id original {{\n    set background_color=black\n"
        f"    linux    {by_hand}\n    initrd   {menu.original}\n}}\n"
        f"set default=unattended\n{style}set timeout={menu.delay}\n"
    )
