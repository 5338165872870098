"""Decides what a rebuild does: profile, build and facts of dom0 in, ordered steps or refusals out."""
