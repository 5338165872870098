"""What a domain takes of the host's memory beside what its guest sees."""

from __future__ import annotations

from builder.profile.model import Guest
from builder.units import Size

_MEBIBYTE = 1 << 20


def memory_needed(guest: Guest, memory: Size) -> Size:
    """What libxl asks Xen for (libxl_domain_need_memory, libxl_get_required_shadow_memory), in whole 2 MiB.

    1 MiB of slack, for HVM and PVH 2 MiB and the tables of pages: 1 MiB for each vCPU and 8 KiB for each MiB.
    """
    tables = 0 if guest.type == "pv" else guest.vcpus * _MEBIBYTE + memory.mebibytes() * 8192
    slack = _MEBIBYTE if guest.type == "pv" else 2 * _MEBIBYTE
    return Size(-(-(memory.bytes + slack + tables) // (2 * _MEBIBYTE)) * 2 * _MEBIBYTE)
