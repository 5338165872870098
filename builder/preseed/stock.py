"""The figures of partman-auto's stock recipes per suite (amd64 without EFI), and which of them it falls back to.

From partman-auto 162 (bookworm, recipes/) and 177 (trixie, recipes-amd64/).
"""

from __future__ import annotations

from builder.preseed.partman import Machine, decode, least_sum, to_megabytes
from builder.preseed.recipe import Line, Recipe
from builder.profile.model import Suite
from builder.units import Size

# minimum priority maximum, and what it is for: a mount point or swap. The stock order of the lines.
_Rows = tuple[tuple[str, str], ...]
# In the order of partman's files (30atomic 50home ...), in which it looks for one that fits.
_FIGURES: dict[Suite, dict[str, _Rows]] = {
    "bookworm": {
        "atomic": (("900 10000 -1", "/"), ("100% 512 200%", "swap")),
        "home": (("1500 6000 30000", "/"), ("100% 512 200%", "swap"), ("1000 10000 -1", "/home")),
        "multi": (
            ("2000 3500 25000", "/"),
            ("1000 1500 10000", "/var"),
            ("100% 512 200%", "swap"),
            ("256 400 2000", "/tmp"),  # noqa: S108 - a mount point
            ("4000 10000 -1", "/home"),
        ),
    },
    "trixie": {
        "atomic": (("8000 8850 -1", "/"), ("500 550 100%", "swap")),
        "home": (("7500 7550 100000", "/"), ("500 550 100%", "swap"), ("1000 1800 -1", "/home")),
        "multi": (
            ("7000 7050 100000", "/"),
            ("2000 2020 40000", "/var"),
            ("500 550 100%", "swap"),
            ("500 510 3000", "/tmp"),  # noqa: S108 - a mount point
            ("1000 1770 -1", "/home"),
        ),
        "server": (
            ("5000 5050 100000", "/"),
            ("2000 2020 40000", "/var"),
            ("500 550 1024", "swap"),
            ("1000 1780 -1", "/srv"),
        ),
        "small_disk": (("2000 2840 -1", "/"), ("500 560 100%", "swap")),
    },
}
# A partition for /boot that is made with LVM only.
_BOOT: dict[Suite, str] = {"bookworm": "512 512 768 ext2", "trixie": "768 788 1024 ext4"}
_FORMATTED = "method{ format } format{ } use_filesystem{ }"


def stock_names(suite: Suite) -> tuple[str, ...]:
    """The recipes that this suite's installer has, in the order in which it tries them."""
    return tuple(_FIGURES[suite])


def stock_recipe(suite: Suite, name: str) -> Recipe:
    """A stock recipe by its short name; KeyError when the suite has none of that name."""
    filesystem = _BOOT[suite].split()[-1]
    texts = [
        "1 1 1 free $iflabel{ gpt } $reusemethod{ } method{ biosgrub }",
        f"{_BOOT[suite]} $defaultignore{{ }} {_FORMATTED} filesystem{{ {filesystem} }} mountpoint{{ /boot }}",
    ]
    for figures, mount in _FIGURES[suite][name]:
        if mount == "swap":
            texts.append(f"{figures} linux-swap $lvmok{{ }} $reusemethod{{ }} method{{ swap }} format{{ }}")
        else:
            sign = "$default_filesystem"
            texts.append(f"{figures} {sign} $lvmok{{ }} {_FORMATTED} {sign}{{ }} mountpoint{{ {mount} }}")
    # partman's own template of small_disk breaks the pattern of the others.
    title = name if name == "small_disk" else f"{name}_scheme"
    return Recipe(f"partman-auto/text/{title}", tuple(Line(tuple(text.split())) for text in texts))


def fallback_name(machine: Machine, disk: Size, wanted: str = "") -> str | None:
    """The stock recipe that partman takes when it has no expert recipe that fits: `wanted` (partman-auto/choose_recipe)
    if that fits, else the first that does. None: it stops at the error partman-auto/no_recipe.
    """
    fitting = [name for name in stock_names(machine.suite) if _is_offered(name, machine, disk)]
    return wanted if wanted in fitting else next(iter(fitting), None)


def _is_offered(name: str, machine: Machine, disk: Size) -> bool:
    entries = decode(stock_recipe(machine.suite, name), machine)
    return least_sum(entries) <= to_megabytes(disk.bytes)
