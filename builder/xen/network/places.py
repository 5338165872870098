"""Where the plan's files are in dom0."""

from __future__ import annotations

RULES = "/etc/domu/network.nft"
SYSCTLS = "/etc/sysctl.d/60-domu.conf"
UNIT = "domu-network.service"
UNITS = "/etc/systemd/system"
# Only while a change of Open vSwitch's bridges is on trial.
TRIAL_DROP_IN = f"{UNITS}/ovs-vswitchd.service.d/domu-trial.conf"
# xen-hotplug-common.sh, call_hooks: sourced by vif-bridge and vif-route when their work is done.
HOOK = "/etc/xen/scripts/vif-post.d/domu.hook"
INTERFACES = "/etc/network/interfaces.d/domu"
NETWORKD = "/etc/systemd/network"
# udev: a module loaded later begins with its own settings (sysctl.d(5)).
UDEV_RULES = "/etc/udev/rules.d/60-domu.rules"
