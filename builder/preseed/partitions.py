"""From a profile's disk to partman: the recipe of a guest, and the machine on which partman will read it."""

from __future__ import annotations

from builder.errors import BuilderError
from builder.preseed.partman import Machine, read_amount
from builder.preseed.recipe import Line, Recipe
from builder.preseed.stock import stock_names, stock_recipe
from builder.profile.disks import Partition
from builder.profile.fields import Percent
from builder.profile.model import Guest
from builder.units import Size

# What d-i itself takes when nobody chooses: the first of its files.
DEFAULT_STOCK = "atomic"
_MB = 1_000_000
BIOS_GRUB = Line(("1", "1", "1", "free", "$iflabel{", "gpt", "}", "method{", "biosgrub", "}"))


def machine_of(guest: Guest) -> Machine:
    """RAM is what the install config gives. The installer sees the same or a little less, never more, so sizes in % of
    RAM come out no larger than predicted.
    """
    return Machine(guest.suite, guest.memory_for_install, guest.label, guest.disk.method)


def recipe_of(guest: Guest) -> Recipe:
    """The profile's partitions as a recipe, or the suite's stock recipe; BuilderError when the suite lacks that one."""
    if not guest.disk.partitions:
        name = guest.disk.recipe or DEFAULT_STOCK
        if name not in stock_names(guest.suite):
            raise BuilderError(
                f"{guest.name}: the installer of {guest.suite} has no stock recipe {name!r}",
                f"write one of {', '.join(stock_names(guest.suite))}, or partitions of your own",
            )
        return stock_recipe(guest.suite, name)
    priorities = _priorities(guest)
    lines = [
        Line((*_figures(partition, priority), *_specifiers(partition, guest)))
        for partition, priority in zip(guest.disk.partitions, priorities, strict=True)
    ]
    # grub-pc, which a PVH or HVM guest installs, keeps its core image in such a partition where the label is GPT.
    if guest.label == "gpt" and guest.type != "pv":
        lines.insert(0, BIOS_GRUB)
    return Recipe(guest.name, tuple(lines))


def _amount(value: Size | Percent) -> str:
    """A word of the recipe: MB of 10^6 bytes, rounded up, or a percentage of RAM."""
    return str(value) if isinstance(value, Percent) else str(-(-value.bytes // _MB))


def _figures(partition: Partition, priority: str) -> tuple[str, str, str, str]:
    maximum = "-1" if partition.maximum == "unlimited" else _amount(partition.maximum)
    filesystem = "linux-swap" if partition.filesystem == "swap" else partition.filesystem
    return _amount(partition.minimum), priority, maximum, filesystem


def _priorities(guest: Guest) -> list[str]:
    """Where the profile gives none: who has a maximum bids for all of it, and those without one bid together for as
    much again.

    So about half of the space beyond the minima first fills up what is limited, each in proportion to its room; what
    reached its maximum drops out and the rest goes to the unlimited. A small unlimited bid would leave 0 after
    partman's division into whole percent, a huge one would leave 0 to the others.
    """
    ram_mb = machine_of(guest).ram_mb

    def megabytes(value: Size | Percent) -> int:
        return read_amount(_amount(value), ram_mb) or 0

    limited = {
        index: max(0, megabytes(partition.maximum) - megabytes(partition.minimum))
        for index, partition in enumerate(guest.disk.partitions)
        if partition.maximum != "unlimited" and partition.priority is None
    }
    unlimited = len(guest.disk.partitions) - sum(it.maximum != "unlimited" for it in guest.disk.partitions)
    bid = max(1000, sum(limited.values()) // max(1, unlimited))
    found = []
    for index, partition in enumerate(guest.disk.partitions):
        if partition.priority is not None:
            found.append(_amount(partition.priority))
        elif partition.maximum == "unlimited":
            found.append(str(megabytes(partition.minimum) + bid))
        else:
            found.append(_amount(partition.maximum if limited[index] else partition.minimum))
    return found


def _specifiers(partition: Partition, guest: Guest) -> list[str]:
    words: list[str] = []
    mounts = {it.mount for it in guest.disk.partitions}
    in_lvm = guest.disk.method == "lvm" and partition.mount != "/boot"
    if in_lvm:
        words += ["$lvmok{", "}"]
        words += ["lv_name{", partition.name, "}"] if partition.name else []
    elif guest.label == "msdos":
        boots = partition.mount == ("/boot" if "/boot" in mounts else "/")
        if partition.primary if partition.primary is not None else boots or partition.mount == "/":
            words += ["$primary{", "}"]
        words += ["$bootable{", "}"] if boots else []
    if partition.filesystem == "swap":
        return [*words, "method{", "swap", "}", "format{", "}"]
    formatted = ["method{", "format", "}", "format{", "}", "use_filesystem{", "}"]
    return [*words, *formatted, "filesystem{", partition.filesystem, "}", "mountpoint{", partition.mount, "}"]
