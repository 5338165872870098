"""dom0's network, looked at and changed: at once, for a trial, and for good when it is confirmed."""
