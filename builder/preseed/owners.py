"""Whose questions a catalogue looks for beyond the installer's, and which names a package that was not read may own."""

from __future__ import annotations

import re

_ASKING = """
anacron apparmor apt-cacher-ng apt-listchanges apticron arno-iptables-firewall atftpd auditd ca-certificates
ca-certificates-java chrony clamav-freshclam console-setup cryptsetup cryptsetup-initramfs cups-bsd dash debconf
debconf-utils debian-edu-install debsums discover dma dovecot-core encfs exim4 exim4-base exim4-config fail2ban
fontconfig-config gdm3 grub-efi-amd64 grub-efi-amd64-signed grub-efi-arm64 grub-efi-ia32 grub-ieee1275 grub-pc
grub-xen hddtemp icinga2-common ifupdown initramfs-tools iperf3 iptables-persistent isc-dhcp-client isc-dhcp-server
jackd1 jackd2 kdump-tools kexec-tools keyboard-configuration krb5-admin-server krb5-config krb5-kdc ldap-auth-config
libc6 libnss-ldapd libpam-ldap libpam-runtime libpaper1 libssl3 libssl3t64 lightdm linux-base linux-image-amd64
localepurge locales login lvm2 mailman3 man-db mariadb-server mdadm minidlna msmtp munin-node nagios4-cgi needrestart
network-manager nfs-common nslcd ntpsec nullmailer nut-server openssh-server os-prober passwd phpmyadmin
popularity-contest postfix postgresql-common proftpd-core resolvconf roundcube-core rsyslog samba samba-common schroot
sddm sgml-base shim-signed shim-signed-common slapd slim smartmontools snmpd ssl-cert steam-installer sudo sysstat
systemd-boot tasksel tasksel-data tftpd-hpa tor tzdata ucf ufw unattended-upgrades unbound util-linux uuid-runtime wdm
wireshark-common x11-common xdm xserver-xorg-legacy
"""
# Packages of the installed system whose questions people answer in preseeds. Of these, the ones that depend on debconf
# are read; libc6 asks without such a dependency (it uses debconf only where there is one).
ASKING_PACKAGES: frozenset[str] = frozenset(_ASKING.split())
ASKING_WITHOUT_DEPENDENCY = frozenset({"libc6"})
NOT_LOOKED_INTO = "it is not among the packages that are looked into"  # why the others are unread
# A .deb with the same templates file as a udeb of its source: debian/user-setup-udeb.templates is user-setup's, too.
TWINS = {"user-setup-udeb": "user-setup"}
# What packages own besides names that begin with their own; taken from those of bookworm and trixie that were read.
_FURTHER_PREFIXES: dict[str, tuple[str, ...]] = {
    "apt-cdrom-setup": ("apt-setup",),
    "apt-mirror-setup": ("apt-setup",),
    "bootstrap-base": ("base-installer",),
    "cdrom-detect": ("cdrom",),
    "cdrom-retriever": ("retriever",),
    "choose-mirror": ("mirror",),
    "choose-mirror-bin": ("mirror",),
    "console-setup-udeb": ("keyboard-configuration",),
    "debian-edu-profile-udeb": ("debian-edu-install",),
    "di-utils": ("base-installer",),
    "download-installer": ("retriever",),
    "file-preseed": ("preseed",),
    "grub-installer": ("rescue",),
    "hw-detect": ("base-installer",),
    "iso-scan": ("cdrom",),
    "kbd-chooser": ("console-keymaps", "console-tools"),
    "load-media": ("retriever",),
    "localechooser": ("babelbox",),
    "lowmemcheck": ("lowmem",),
    "lvmcfg-utils": ("lvmcfg",),
    "mdcfg-utils": ("mdcfg",),
    "media-retriever": ("retriever",),
    "net-retriever": ("retriever", "mirror"),
    "netcfg-static": ("netcfg",),
    "network-preseed": ("auto-install", "preseed"),
    "preseed-common": ("preseed",),
    "rescue-check": ("rescue",),
    "rescue-mode": ("rescue",),
    "ssl-cert": ("make-ssl-cert",),
    "tzsetup-udeb": ("time",),
    "user-setup-udeb": ("passwd",),
}
_ENDING = re.compile(r"-?[0-9][0-9.]*(?:t64)?$|-(?:base|client|common|config|core|server)$")
# Under these first words packages put questions with their own name further on, as in debian-installer/NAME/title.
SHARED_PREFIXES = frozenset({"debian-installer", "finish-install"})


def possible_prefixes(package: str) -> tuple[str, ...]:
    """The first words of the names that this package may own, sorted."""
    plain = package.removesuffix("-udeb")
    names = {package, plain, _ENDING.sub("", plain), *_FURTHER_PREFIXES.get(package, ())}
    if package.startswith("partman-"):
        names.add("partman")  # partman/text/... and partman/filesystem_long/... belong to all of partman
    return tuple(sorted(filter(None, names)))
