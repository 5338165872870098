"""Preseed text: templates, rendering, and partman's recipes and arithmetic."""
