"""LVM: wishes in, volumes in extents out."""
