"""ISO images: where everything lies on them, how one is changed in place, and whether one is sound."""

from builder.image.iso.installer import Extent, Installer, read_extent, read_installer
from builder.image.iso.volume import SECTOR, SYSTEM_AREA, IsoError

__all__ = ["SECTOR", "SYSTEM_AREA", "Extent", "Installer", "IsoError", "read_extent", "read_installer"]
