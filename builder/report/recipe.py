"""What partman would make of a recipe, for people and as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builder.preseed.layout import PHYSICAL_EXTENT, Layout
from builder.preseed.partman import UNLIMITED
from builder.storage.table import align
from builder.units import Size


def layout_data(layout: Layout) -> Mapping[str, Any]:
    """Sizes in bytes where no unit is named, `end` inclusive, free space among the partitions with `num` -1."""
    shown = sorted((*layout.partitions, *layout.free), key=lambda partition: partition.start)
    return {
        "fits": layout.fits,
        "min_size_mb": layout.min_size_mb,
        "decoded": [[it.minimum, it.priority, it.maximum, it.filesystem] for it in layout.decoded],
        "expanded_mb": None if layout.expanded_mb is None else list(layout.expanded_mb),
        "partitions": [
            {
                "num": partition.num,
                "start": partition.start,
                "end": partition.end,
                "size": partition.size,
                "type": partition.type,
                "parted_fs": partition.parted_fs,
                "method": partition.method,
                "fs": partition.fs,
                "mount": partition.mount,
            }
            for partition in shown
        ],
        "vg_extents": layout.vg_extents,
        "lvs": [[volume.name, volume.extents] for volume in layout.lvs],
    }


def layout_text(layout: Layout) -> str:
    """The recipe in numbers, then the partitions and LVM volumes, in bytes for comparing and rounded for reading."""
    rows = [("minimum MB", "priority MB", "maximum MB", "parted's filesystem")]
    for entry in layout.decoded:
        maximum = "unlimited" if entry.maximum == UNLIMITED else str(entry.maximum)
        rows.append((str(entry.minimum), str(entry.priority), maximum, entry.filesystem))
    lines = [
        *align(rows),
        "",
        f"The recipe needs {layout.min_size_mb} MB: it {'fits' if layout.fits else 'does not fit'}.",
    ]
    if layout.partitions:
        made = [("partition", "start", "bytes", "size", "use", "mount")]
        for it in layout.partitions:
            number = f"{it.num} {it.type}"
            made.append((number, str(it.start), str(it.size), Size(it.size).human, it.use, it.mount))
        lines += ["", *align(made)]
    if layout.lvs:
        volumes = [("LVM volume", "extents", "size", "use", "mount")]
        for volume in layout.lvs:
            size = Size(volume.extents * PHYSICAL_EXTENT).human
            volumes.append((volume.name, str(volume.extents), size, volume.use, volume.mount))
        lines += ["", *align(volumes)]
    return "\n".join(lines)
