"""Networks of a dom0 for its guests: from dom0.yaml and the guests' NICs to files, rules and commands."""
