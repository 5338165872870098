"""Deliberate faults in preseeds: what is wrong, which rule says so, and where. docs/lint-faults.md shows them."""

from __future__ import annotations

from typing import NamedTuple

from builder.preseed.given import NOTHING, Given, Hardware
from builder.units import Size

HEAD = b"""\
# a guest
d-i debian-installer/locale select en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
"""
TAIL = b"""\
d-i partman/choose_partition select finish
d-i finish-install/reboot_in_progress note
"""
NETWORK = Given(loading="network")
INITRD = Given(loading="initrd")
XEN = Given(hardware=Hardware("pv", ("/dev/xvda",), Size.parse("10G"), Size.parse("1G")))
SMALL = Given(hardware=Hardware("pv", ("/dev/xvda",), Size.parse("4G"), Size.parse("1G")))
HASH = b"$6$saltsaltsalt$" + b"a" * 86
ROOT_PART = b"method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } ."
RECIPE = b"d-i partman-auto/expert_recipe string mine :: "
LATE = b"d-i preseed/late_command string "


class Fault(NamedTuple):
    """`text` stands between HEAD and TAIL, unless it is the `whole` file; `line` counts within it."""

    title: str
    code: str
    text: bytes
    line: int = 1
    given: Given = NOTHING
    whole: bool = False

    @property
    def data(self) -> bytes:
        """The file."""
        return self.text if self.whole else HEAD + self.text + TAIL

    @property
    def place(self) -> int:
        """The line in the file."""
        return self.line if self.whole else self.line + HEAD.count(b"\n")


FAULTS = (
    # lines
    Fault("a line of two words", "L101", b"d-i netcfg/enable\n"),
    Fault("a shell command outside any entry", "L101", b"reboot\n"),
    Fault("a heading without a comment sign", "L101", b"Network:\n"),
    Fault("a comment indented by a blank", "L102", b" # the clock is set by Xen\nd-i clock-setup/utc boolean true\n"),
    Fault("a comment indented by a tab, of two words", "L102", b"\t# clock\n"),
    Fault("an indented comment among the packages", "L103", b"d-i pkgsel/include string ssh \\\n  # mail \\\n  postfix\n", 2),
    Fault("a comment among the packages", "L104", b"d-i pkgsel/include string ssh \\\n# mail\n  postfix\n", 2),
    Fault("a page in place of a preseed", "L130", b"<html>\n<p>Not Found</p>\n</html>\n", 1, whole=True),
    Fault("a blank line among the packages", "L105", b"d-i pkgsel/include string ssh \\\n\n  postfix\n", 2),
    Fault("a backslash too many", "L106", b"d-i pkgsel/include string ssh \\\nd-i pkgsel/upgrade select none\n", 2),
    Fault("two entries on a line", "L107", b"d-i clock-setup/utc boolean true d-i clock-setup/ntp boolean true\n"),
    Fault("a blank behind the backslash", "L108", b"d-i pkgsel/include string ssh \\ \n  postfix sudo vim\n"),
    Fault("a backslash at the end of the file", "L109", HEAD + LATE + b"true \\\n", 4, whole=True),
    Fault("a byte order mark", "L110", "\ufeff".encode() + HEAD + TAIL, 1, whole=True),
    Fault("a NUL byte", "L111", b"# x\0\nd-i clock-setup/utc boolean true\n"),
    Fault("line ends of DOS", "L112", b"d-i clock-setup/utc boolean true\r\n"),
    Fault("a CR between two entries", "L113", b"d-i clock-setup/utc boolean true\rd-i clock-setup/ntp boolean true\n"),
    Fault("a no-break space before the value", "L114", "d-i clock-setup/utc boolean\u00a0true\n".encode()),
    Fault("a zero-width space in a name", "L114", "d-i clock-\u200bsetup/utc boolean true\n".encode()),
    Fault("a no-break space in a command", "L115", "d-i preseed/late_command string rm\u00a0/target/x\n".encode()),
    Fault("a name in Latin-1", "L116", b"d-i passwd/user-fullname string Ren\xe9\n"),
    Fault("a blank behind a package's answer", "L117", b"popularity-contest popularity-contest/participate boolean false \n"),
    Fault("two blanks before a package's answer", "L118", b"tasksel tasksel/first multiselect  standard\n"),
    Fault("a package's type with a capital", "L119", b"tasksel tasksel/first Multiselect standard\n"),
    Fault("a short word for boolean", "L120", b"d-i clock-setup/utc bool true\n"),
    Fault("the type left out, in words", "L120", b"d-i passwd/user-fullname Debian User\n"),
    Fault("the type left out", "L121", b"d-i mirror/country manual\n"),
    Fault("a boolean without a value", "L122", b"d-i clock-setup/utc boolean\n"),
    Fault("seen without a flag", "L123", b"d-i time/zone seen\n"),
    Fault("a pattern on a line of its own", "L124", b"d-i preseed/early_command string rm -f \\\n/tmp/*\n", 2),
    Fault("a backslash and n for a newline", "L125", LATE + b"printf 'a\\nb' >/target/etc/x\n", 1, INITRD),
    Fault("an option on a line of its own", "L126", b"d-i preseed/early_command string dmesg | tail \\\n-n\n", 2),
    Fault("a URL that is continued", "L127", LATE + b"wget http://mirror.example.org/\\\nfile\n", 2),
    Fault("seen before a package's answer", "L128", b"postfix postfix/mailname seen false\n"),
    Fault("a recipe whose backslash is missing", "L129", b"d-i pkgsel/include string one \\\n  two\n  538 538 1075 free\n", 3),
    Fault("a comment that silences nothing", "L190", b"# domu: ignore L101\nd-i clock-setup/utc boolean true\n"),
    Fault("a comment to the linter without a code", "L191", b"# domu: ignore this\nd-i clock-setup/utc boolean true\n"),
    # questions
    Fault("a question of nobody's", "L201", b"d-i partman/wipe_everything boolean true\n"),
    Fault("a letter missing in a question", "L202", b"d-i partman/confirm_nooverwrit boolean true\n"),
    Fault("letters swapped in a question", "L202", b"d-i partman-auto/mehtod string lvm\n"),
    Fault("an underscore for a hyphen", "L202", b"d-i passwd/root_login boolean true\n"),
    Fault("a zone of bookworm's", "L203", b"tzdata tzdata/Zones/US select Pacific\n"),
    Fault("a question of lenny's", "L204", b"d-i partman/confirm_write_new_label boolean true\n"),
    Fault("a question of Ubuntu's", "L204", b"d-i user-setup/encrypt-home boolean false\n"),
    Fault("a boot parameter as a question", "L205", b"d-i priority select critical\n"),
    Fault("another boot parameter as a question", "L205", b"d-i hostname string web1\n"),
    Fault("the label where nobody reads it", "L206", b"d-i partman/default_label string gpt\n"),
    Fault("an error answered in advance", "L207", b"d-i partman-auto/no_recipe error\n"),
    Fault("a package that was not looked into", "L208", b"bind9 bind9/start-as-user string bind\n"),
    Fault("the tasks given to d-i", "L210", b"d-i tasksel/first multiselect standard\n"),
    Fault("popcon given to d-i", "L210", b"d-i popularity-contest/participate boolean false\n"),
    Fault("the mirror given to a package", "L211", b"mirror mirror/country string manual\n"),
    # values
    Fault("the locale as a string", "L301", b"d-i time/zone string Etc/UTC\n"),
    Fault("a package's boolean as a string", "L302", b"popularity-contest popularity-contest/participate string false\n"),
    Fault("a choice with capitals", "L303", b"d-i partman/mount_style select UUID\n"),
    Fault("a choice translated", "L303", b"postfix postfix/main_mailer_type select Keine Konfiguration\n"),
    Fault("a service that is no more", "L304", b"d-i apt-setup/services-select multiselect security, volatile\n"),
    Fault("locales without blanks", "L310", b"d-i localechooser/supported-locales multiselect C.UTF-8,de_AT.UTF-8\n"),
    Fault("tasks without commas", "L305", b"tasksel tasksel/first multiselect standard ssh-server\n"),
    Fault("yes for true", "L306", b"d-i partman/confirm boolean yes\n"),
    Fault("True for true", "L306", b"d-i clock-setup/utc boolean True\n"),
    Fault("a comment behind the value", "L306", b"d-i clock-setup/utc boolean true # in UTC\n"),
    Fault("no for false", "L307", b"d-i clock-setup/ntp boolean no\n"),
    Fault("the console's keymap", "L308", b"d-i keyboard-configuration/xkb-keymap select uk\n"),
    Fault("a template's mark", "L309", b"d-i netcfg/get_hostname string {{ name }}\n"),
    Fault("a partitioning method that is none", "L320", b"d-i partman-auto/method string atomic\n"),
    Fault("an upgrade that is none", "L320", b"d-i pkgsel/upgrade select safe\n"),
    Fault("a label that is none", "L320", b"d-i partman-partitioning/default_label string mbr\n"),
    Fault("a driver policy that is none", "L320", b"d-i base-installer/initramfs-tools/driver-policy select all\n"),
    Fault("a language for a locale", "L320", b"d-i debian-installer/locale select English\n"),
    Fault("a size of the volume group in words", "L320", b"d-i partman-auto-lvm/guided_size string all\n"),
    Fault("a host name with an underscore", "L321", b"d-i netcfg/get_hostname string web_1\n"),
    Fault("a user name with a capital", "L322", b"d-i passwd/username string Alice\n"),
    Fault("a reserved user name", "L322", b"d-i passwd/username string admin\n"),
    Fault("a name for an address", "L323", b"d-i netcfg/get_gateway string gw.example.org\n"),
    Fault("name servers with commas", "L323", b"d-i netcfg/get_nameservers string 192.0.2.1, 192.0.2.2\n"),
    Fault("a size without a unit", "L324", b"d-i partman-auto-lvm/guided_size string 20\n"),
    Fault("further archives counted from 1", "L325", b"d-i apt-setup/local1/repository string http://a.example.org ./\n"),
    Fault("a URL for a host", "L326", b"d-i mirror/http/hostname string http://mirror.example.org\n"),
    # answers in each other's way
    Fault("the same line twice", "L330", b"d-i clock-setup/utc boolean true\n" * 2, 2),
    Fault("two answers", "L331", b"d-i clock-setup/utc boolean true\nd-i clock-setup/utc boolean false\n", 2),
    Fault("two late commands", "L332", LATE + b"echo one\n" + LATE + b"echo two\n", 2),
    Fault("the host name over the network", "L333", b"d-i netcfg/get_hostname string web1\n", 1, NETWORK),
    Fault("the country over the network", "L334", b"d-i debian-installer/country string AT\n", 1, NETWORK),
    Fault(
        "an early command and a file to load", "L335",
        b"d-i preseed/early_command string anna-install a\nd-i preseed/url string https://a.example.org/p\n", 1, INITRD,
    ),
    Fault(
        "a mirror and a country", "L336",
        b"d-i mirror/country string AT\nd-i mirror/http/hostname string mirror.example.org\n", 2,
    ),
    Fault(
        "https and a host for http", "L337",
        b"d-i mirror/protocol select https\nd-i mirror/http/hostname string mirror.example.org\n",
    ),
    Fault("an address beside DHCP", "L338", b"d-i netcfg/get_ipaddress string 192.0.2.10\n"),
    Fault(
        "free space beside a method", "L339",
        b"d-i partman-auto/method string regular\n"
        b"d-i partman-auto/init_automatically_partition select biggest_free\n", 2,
    ),
    # accounts and secrets
    Fault("root's password in plain text", "L401", b"d-i passwd/root-password password secret\n"),
    Fault("a password in a command", "L401", LATE + b"echo 'root:secret' | chroot /target chpasswd\n"),
    Fault("the disk's passphrase", "L402", b"d-i partman-crypto/passphrase password secret\n"),
    Fault("an MD5 hash", "L403", b"d-i passwd/root-password-crypted password $1$saltsalt$" + b"a" * 22 + b"\n"),
    Fault("a DES hash", "L403", b"d-i passwd/user-password-crypted password ab7CYsvBKK2Mk\n"),
    Fault("a SHA-256 hash", "L404", b"d-i passwd/root-password-crypted password $5$salt$" + b"a" * 43 + b"\n"),
    Fault("a password for a hash", "L405", b"d-i passwd/root-password-crypted password secret\n"),
    Fault("a hash cut short", "L405", b"d-i passwd/root-password-crypted password $6$salt$abc\n"),
    Fault("an exclamation mark for root", "L406", b"d-i passwd/root-password-crypted password !\n"),
    Fault(
        "root's password twice", "L407",
        b"d-i passwd/root-password password x\nd-i passwd/root-password-crypted password " + HASH + b"\n",
    ),
    Fault(
        "the user's password mistyped", "L408",
        b"d-i passwd/user-password password one\nd-i passwd/user-password-again password oen\n", 2,
    ),
    Fault("nobody to log in", "L409", b"d-i passwd/make-user boolean false\nd-i passwd/root-login boolean false\n", 2),
    Fault("a user who is not made", "L410", b"d-i passwd/make-user boolean false\nd-i passwd/username string eve\n", 2),
    Fault(
        "a password for a locked root", "L411",
        b"d-i passwd/root-login boolean false\nd-i passwd/root-password-crypted password " + HASH + b"\n", 2,
    ),
    Fault("a hash over the network", "L412", b"d-i passwd/root-password-crypted password " + HASH + b"\n", 1, NETWORK),
    Fault("more answers by http", "L413", b"d-i preseed/include string http://a.example.org/more.cfg\n"),
    Fault("a script by http", "L414", LATE + b"wget -qO- http://a.example.org/x | sh\n"),
    Fault("a proxy with a password", "L415", b"d-i mirror/http/proxy string http://me:pw@proxy.example.org:3128/\n"),
    # disks and recipes
    Fault("sda on a Xen guest", "L501", b"d-i partman-auto/disk string /dev/sda\n", 1, XEN),
    Fault("GRUB on vda of a Xen guest", "L501", b"d-i grub-installer/bootdev string /dev/vda\n", 1, XEN),
    Fault("a partition for a disk", "L502", b"d-i partman-auto/disk string /dev/sda1\n"),
    Fault("disks with commas", "L502", b"d-i partman-auto/disk string /dev/xvda,/dev/xvdb\n"),
    Fault("sda of who knows which machine", "L503", b"d-i partman-auto/disk string /dev/sda\n"),
    Fault("a minimum that is no number", "L510", RECIPE + b"1G 2000 -1 ext4 " + ROOT_PART + b"\n"),
    Fault("a recipe's last dot missing", "L510", RECIPE + b"500 900 -1 ext4 " + ROOT_PART[:-1] + b"\n"),
    Fault("a brace without blanks", "L511", RECIPE + b"500 900 -1 ext4 $primary{} " + ROOT_PART + b"\n"),
    Fault("no root file system", "L511", RECIPE + b"64 64 512 linux-swap method{ swap } format{ } .\n"),
    Fault("a priority below the minimum", "L512", RECIPE + b"900 500 -1 ext4 " + ROOT_PART + b" 64 64 -1 ext2 .\n"),
    Fault("a recipe larger than the disk", "L513", RECIPE + b"20000 30000 -1 ext4 " + ROOT_PART + b"\n", 1, XEN),
    Fault("a stock recipe misspelt", "L514", b"d-i partman-auto/choose_recipe select atomc\n"),
    Fault("a stock recipe larger than the disk", "L515", b"d-i partman-auto/choose_recipe select multi\n", 1, SMALL),
    Fault(
        "a stock recipe beside another", "L516",
        b"d-i partman-auto/choose_recipe select atomic\n" + RECIPE + b"500 900 -1 ext4 " + ROOT_PART + b"\n",
    ),
    Fault(
        "a recipe and a file with one", "L517",
        b"d-i partman-auto/expert_recipe_file string /r\n" + RECIPE + b"500 900 -1 ext4 " + ROOT_PART + b"\n",
    ),
    Fault(
        "LVM without a volume", "L518",
        b"d-i partman-auto/method string lvm\n" + RECIPE + b"500 900 -1 ext4 " + ROOT_PART + b"\n", 2,
    ),
    # commands
    Fault("a quote that is not closed", "L601", LATE + b"echo 'it is done\n"),
    Fault("an if without its fi", "L601", LATE + b"if [ -e /x ]; then echo x\n"),
    Fault("apt-get in the installer", "L602", LATE + b"apt-get -y install vim\n"),
    Fault("bash in the installer", "L602", b"d-i preseed/early_command string bash -c true\n"),
    Fault("apt-install in the target", "L603", LATE + b"in-target apt-install vim\n"),
    Fault("a file of the installer's", "L604", LATE + b"in-target echo x >>/etc/hosts\n"),
    Fault("a semicolon missing", "L605", LATE + b"in-target apt-get update \\\n  in-target apt-get -y install vim\n"),
    Fault("the end before the end", "L606", LATE + b"in-target true; reboot\n"),
)  # fmt: skip
