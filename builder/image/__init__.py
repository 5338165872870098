"""Bytes that boot: cpio archives, initrds and ISO images."""
