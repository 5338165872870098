"""Debian preseed and netboot image builder for Xen hosts."""

__version__ = "0.1.0"
