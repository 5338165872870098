"""Adopting a guest that exists: from its xl config, its volumes and its installer's answers to a profile."""
