"""LVM's rules for names and tags (lvm(8), VALID NAMES), with the lengths that the device mapper leaves."""

from __future__ import annotations

import re

# LVM makes volumes of these names itself: the tools of 2.03.16 refuse them.
_BEGINNINGS = re.compile(r"snapshot|pvmove")
_PARTS = re.compile(
    r"_cdata|_cmeta|_corig|_cpool|_cvol|_imeta|_iorig|_mimage|_mlog|_pmspare|_rimage|_rmeta"
    r"|_tdata|_tmeta|_vdata|_vorigin|_wcorig"
)
_FORM = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]*", re.ASCII)
# The device mapper's name is GROUP-VOLUME with inner hyphens doubled: DM_NAME_LEN 128 with its end, less "-real".
LONGEST_DEVICE = 122
# lib/misc/lvm-string.c, validate_tag; lvm(8) wants no hyphen in front and at most 1024.
TAG = re.compile(r"[A-Za-z0-9_+./=!:#&][A-Za-z0-9_+./=!:#&-]{0,1023}", re.ASCII)


def device_name(group: str, volume: str) -> str:
    """What the device mapper calls it, below /dev/mapper."""
    return f"{group.replace('-', '--')}-{volume.replace('-', '--')}"


def name_problem(group: str, volume: str) -> tuple[str, str] | None:
    """What LVM or the device mapper would say against this volume's name, and what to do; None for a good one."""
    for name in (group, volume):
        if not _FORM.fullmatch(name) or name in {".", ".."}:
            return f"{name!r} is no name for LVM", "use letters, digits and _ + . -, no hyphen in front"
    if reserved := _BEGINNINGS.match(volume) or _PARTS.search(volume):
        return f"LVM keeps names with {reserved[0]!r} for itself: {volume}", "choose another name (lvm(8), VALID NAMES)"
    length = len(device_name(group, volume))
    if length > LONGEST_DEVICE:
        message = f"{group}/{volume} is too long for the device mapper: {length} signs"
        return message, f"{LONGEST_DEVICE} are possible; hyphens count twice"
    return None
