"""What the guest says of how it is started: GRUB's package, and for PV guests the kernels that PV GRUB can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from builder.plan.verify.check import Difference, Runs, Wish, some
from builder.plan.verify.of_machine import facts_of
from builder.xen.boot import method_of, needs_hook

# What the installer puts on: grub-xen in a PV guest, grub-pc in any other (grub-installer). A direct start needs none.
_PACKAGES: Mapping[tuple[str, str], str] = {
    ("pv", "pvgrub"): "grub-xen",
    ("pv", "pygrub"): "grub-xen",
    ("pvh", "pvhgrub"): "grub-pc",
    ("pvh", "pygrub"): "grub-pc",
    ("hvm", "firmware"): "grub-pc",
}
_HOOKS = (
    "/etc/kernel/postinst.d/domu-pv-kernel",
    "/etc/kernel/postrm.d/domu-pv-kernel",
    "/etc/grub.d/09_domu_pv",
)


def compare_grub(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The package of the boot method."""
    guest = wish.guest
    wanted = _PACKAGES.get((guest.type, method_of(guest)))
    if wanted is None:
        return
    if facts_of(runs).packages.get().get(wanted, "")[1:2] != "i":
        message = f"lacks {wanted}, by which {method_of(guest)} starts it"
        yield Difference(message, f"apt-get install {wanted}; update-grub; it runs on, and may not start again")


def compare_hook(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Kernel hook, menu and second stage that PV GRUB needs."""
    guest = wish.guest
    if not needs_hook(guest):
        return
    seen = facts_of(runs).boot.get()
    if missing := [path for path in _HOOKS if path not in seen.hooks]:
        hint = (
            f"the next kernel will not start; domu rebuild {guest.name}, or copy them: domu render {guest.name} scripts"
        )
        yield Difference(f"lacks of domu's kernel hook {some(missing)}", hint)
    if not seen.has_core:
        yield Difference(
            "lacks /boot/xen/pvboot-x86_64.elf, which dom0's GRUB hands over to", "apt-get install grub-xen"
        )


def compare_ready(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """A copy that PV GRUB reads of each installed kernel, and its place in the menu."""
    guest = wish.guest
    if not needs_hook(guest):
        return
    seen = facts_of(runs).boot.get()
    hint = "in the guest: /etc/kernel/postinst.d/domu-pv-kernel VERSION; update-grub"
    if unfit := seen.unfit:
        yield Difference(f"/boot/xen has kernels that GRUB for PV guests cannot read: {some(unfit)}", hint)
    if missing := seen.kernels - seen.ready - seen.unfit:
        yield Difference(f"Linux {some(missing)} is not made ready in /boot/xen for GRUB for PV guests", hint)
    if unlisted := (seen.ready & seen.kernels) - seen.menu:
        yield Difference(f"GRUB's menu offers no Linux {some(unlisted)} from /boot/xen", "update-grub in the guest")
