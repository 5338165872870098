"""Rules about the kernel command line that starts the installer: what does not fit on it, and what it cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from builder.findings import Finding, Severity
from builder.profile.model import GuestType

# Xen copies MAX_GUEST_CMDLINE (1024, xen/include/public/xen.h) with its final NUL, without a word (xg_dom_x86.c).
# Linux on x86 takes 2048 with the NUL (COMMAND_LINE_SIZE).
LONGEST: dict[GuestType, int] = {"pv": 1023, "pvh": 2047, "hvm": 2047}
# CONFIG_INIT_ENV_ARG_LIMIT 32 of Debian's kernels, less HOME and TERM.
MOST_VARIABLES = 30
# The kernel's own, which do not become variables of init's environment.
_KERNELS = frozenset(
    {"console", "root", "initrd", "mem", "maxcpus", "panic", "loglevel", "nomodeset", "vga", "ro", "rw"}
)


def check_boot_parameters(line: str, guest_type: GuestType) -> Iterator[Finding]:
    """Findings about the installer's kernel command line, as `extra=` of an install config has it."""
    size, longest = len(line.encode()), LONGEST[guest_type]
    if size > longest:
        cut = line.encode()[longest:].decode("utf-8", "replace")
        message = f"the installer's command line has {size} bytes, and a {guest_type} guest gets {longest} of them: "
        yield Finding("L701", f"{message}{cut[-60:]!r} is cut off", "move answers into the preseed in the initrd")
    names = [word.partition("=")[0] for word in line.partition(" --- ")[0].split() if "=" in word]
    variables = [name for name in names if name not in _KERNELS and "." not in name]
    if len(variables) > MOST_VARIABLES:
        message = f"{len(variables)} parameters for the installer: with more than {MOST_VARIABLES} the kernel panics"
        yield Finding("L702", message, "move answers into the preseed in the initrd")
    for word in line.split():
        name, equals, value = word.partition("=")
        if "/" in name and equals and not value and not name.endswith("?"):
            message = f"{name}= answers nothing: an empty answer cannot be given on the command line"
            yield Finding("L703", message, "give it in the preseed file", severity=Severity.WARNING)
