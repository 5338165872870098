"""Xen: xl configs."""
