"""Names that the installer reads although no template declares them, and the short names of its kernel command line.

Found by reading every script of all udebs of bookworm and trixie for db_get, db_set and db_register.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from builder.preseed.templates import Template

_BOTH = frozenset({"bookworm", "trixie"})
_TRIXIE = frozenset({"trixie"})


@dataclass(frozen=True, slots=True)
class Declared:
    """One name without a template of its own, as a template, with the package that reads it and where it does."""

    template: Template
    package: str
    evidence: str
    suites: frozenset[str] = _BOTH


@dataclass(frozen=True, slots=True)
class Family:
    """Names made at run time: `pattern` is a regular expression for the whole name, `shown` is for people."""

    pattern: str
    shown: str
    type: str
    package: str
    description: str
    evidence: str
    suites: frozenset[str] = _BOTH

    def matches(self, name: str, suite: str) -> bool:
        """Whether this name is one of the family in that suite; a suite without rows here has those of all."""
        return (suite in self.suites or suite not in _BOTH) and re.fullmatch(self.pattern, name, re.ASCII) is not None


def _alias(name: str, of: str, package: str, evidence: str) -> Declared:
    kept = f"Write the changes to disk? (asked in place of {of} when nothing is overwritten)"
    return Declared(Template(name, "boolean", "false", description=kept), package, evidence)


def _read(
    name: str, kind: str, package: str, description: str, evidence: str, *, suites: frozenset[str] = _BOTH
) -> Declared:
    return Declared(Template(name, kind, description=description), package, evidence, suites)


DECLARED = (
    _alias(
        "partman-lvm/confirm_nooverwrite", "partman-lvm/confirm", "partman-lvm",
        "db_register in partman-lvm 156 init.d/26lvm-devices:8",
    ),
    _alias(
        "partman-md/confirm_nooverwrite", "partman-md/confirm", "partman-md",
        "db_register in partman-md 114 init.d/25md-devices:5",
    ),
    _alias(
        "partman-crypto/confirm_nooverwrite", "partman-crypto/confirm", "partman-crypto",
        "db_register in partman-crypto 134 init.d/52crypto:158",
    ),
    _read(
        "debconf/language", "string", "cdebconf-udeb", "The language in which questions are shown",
        "db_register in localechooser",
    ),
    _read(
        "auto-install/classes", "string", "network-preseed",
        "Classes for a preseed of one's own to look at; Debian's own scripts do not",
        "etc/preseed_aliases names it for the boot parameter classes",
    ),
    _read(
        "mirror/udeb/suite", "string", "net-retriever", "The suite to take the installer's own packages from",
        "db_get in net-retriever; read if set, declared by nobody",
    ),
    _read(
        "mirror/https/proxy", "string", "choose-mirror", "The proxy for mirrors by https",
        "db_get with the protocol in the name; only mirror/http/proxy is declared",
    ),
    _read(
        "base-installer/debootstrap_variant", "string", "bootstrap-base", "debootstrap's --variant",
        "db_get in bootstrap-base 1.226 postinst",
    ),
    _read(
        "base-installer/includes", "string", "bootstrap-base", "Packages that debootstrap includes",
        "db_get in bootstrap-base",
    ),
    _read(
        "pkgsel/include/install-recommends", "boolean", "pkgsel",
        "No longer used: pkgsel says so in its log; base-installer/install-recommends is",
        "db_get in pkgsel's postinst",
    ),
    _read(
        "simple-cdd/profiles", "multiselect", "simple-cdd-profiles", "Profiles of an installer made by simple-cdd",
        "read on media made by simple-cdd",
    ),
)  # fmt: skip

FAMILIES = (
    Family(
        r"apt-setup/local[0-9]{1,3}/(repository|comment|source|key)",
        "apt-setup/localN/{repository,comment,source,key}", "string", "apt-setup-udeb",
        "A further archive for the installed system; N counts from 0 without gaps",
        "apt-setup-udeb 0.198 generators/60local",
    ),
    Family(
        r"apt-setup/local[0-9]{1,3}/options",
        "apt-setup/localN/options", "string", "apt-setup-udeb",
        "Options of that archive's line in sources.list",
        "apt-setup 1:0.195 generators/60local; not yet in bookworm's 1:0.182", _TRIXIE,
    ),
    Family(
        r"mirror/(https?|ftp)/(hostname|directory|proxy)",
        "mirror/PROTOCOL/{hostname,directory,proxy}", "string", "choose-mirror",
        "The mirror and the proxy for a protocol: http, https or ftp",
        "db_get with the value of mirror/protocol in the name",
    ),
    Family(
        r"tzsetup/country/[A-Z]{2}",
        "tzsetup/country/CC", "select", "tzsetup-udeb",
        "The time zone within a country of several", "tzsetup's postinst, by debian-installer/country",
    ),
    Family(
        r"localechooser/shortlist/[A-Za-z_@]+",
        "localechooser/shortlist/LANGUAGE", "select", "localechooser",
        "The countries offered for a language", "localechooser, by language",
    ),
    Family(
        r"base-installer/kernel/linux/initrd(-[0-9.]+)?",
        "base-installer/kernel/linux/initrd-MAJOR", "boolean", "base-installer",
        "Whether the kernel gets an initrd", "base-installer's library.sh, by the kernel's version",
    ),
    Family(
        r"base-installer/kernel/linux/extra-packages-[0-9.]+",
        "base-installer/kernel/linux/extra-packages-MAJOR", "string", "base-installer",
        "What is installed along with the kernel", "base-installer's library.sh, by the kernel's version",
    ),
)  # fmt: skip

# /etc/preseed_aliases of preseed-common, the same in 1.117 and 1.125. They mean something on the kernel command line
# alone: in a file `d-i keymap select us` sets a question called keymap, which nobody reads.
BOOT_ALIASES = {
    "priority": "debconf/priority",
    "fb": "debian-installer/framebuffer",
    "language": "debian-installer/language",
    "country": "debian-installer/country",
    "locale": "debian-installer/locale",
    "theme": "debian-installer/theme",
    "auto": "auto-install/enable",
    "classes": "auto-install/classes",
    "file": "preseed/file",
    "url": "preseed/url",
    "domain": "netcfg/get_domain",
    "hostname": "netcfg/get_hostname",
    "interface": "netcfg/choose_interface",
    "protocol": "mirror/protocol",
    "suite": "mirror/suite",
    "modules": "anna/choose_modules",
    "recommends": "base-installer/install-recommends",
    "tasks": "tasksel/first",
    "desktop": "tasksel/desktop",
    "dmraid": "disk-detect/dmraid/enable",  # which trixie's disk-detect does not have any more
    "keymap": "keyboard-configuration/xkb-keymap",
    "preseed-md5": "preseed/file/checksum",
    "firmware": "hw-detect/firmware-lookup",
}
