"""Rules at their borders: what is near a fault and none, and where exactly a fault is said to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.host.catalogue import shipped_catalogue
from builder.preseed.commands import shell_scripts, simple_commands
from builder.preseed.given import NOTHING, Given, Hardware, Loading
from builder.preseed.lint import lint
from builder.preseed.rules_values import is_placeholder
from builder.preseed.syntax import parse_preseed
from builder.profile.model import Suite
from builder.units import Size

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "cases").glob("*/preseed.cfg"))
OTHER: dict[Suite, Suite] = {"trixie": "bookworm", "bookworm": "trixie"}
XEN = Given(hardware=Hardware("pv", ("/dev/xvda",), Size.parse("10G"), Size.parse("1G")))
XEN_UNSEEN = Given(hardware=Hardware("pvh", ()))
HVM_UNSEEN = Given(hardware=Hardware("hvm", ()))
ROOT = "500 900 -1 ext4 method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } ."


def codes(text: str, given: Given = NOTHING, suite: Suite = "trixie") -> list[str]:
    """Codes with their lines, those about syntax left out."""
    known = replace(given, catalogue=shipped_catalogue(suite), others=(shipped_catalogue(OTHER[suite]),))
    found = lint(parse_preseed(text.encode()), "p", given=known)
    return [f"{finding.code}:{finding.place.line}" for finding in found if finding.code >= "L200"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_our_own_renders_are_clean(path: Path) -> None:
    text = path.read_text()
    suite: Suite = "bookworm" if "mirror/suite select bookworm" in text else "trixie"
    assert codes(text, replace(XEN, loading="initrd"), suite) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("d-i mirror/https/hostname string a", [], id="a question of a family"),
        pytest.param("d-i apt-setup/local0/options string arch=amd64", [], id="trixie's family"),
        pytest.param("d-i partman-lvm/confirm_nooverwrite boolean true", [], id="an alias that db_register makes"),
        pytest.param("grub-pc grub-pc/install_devices multiselect /dev/xvda", [], id="a package's own question"),
        pytest.param("d-i finish-install/reboot_in_progress note", [], id="a note without a value"),
        pytest.param("d-i mirror/http/proxy string", [], id="an empty string"),
        pytest.param("d-i apt-setup/services-select multiselect", [], id="no service"),
        pytest.param("d-i apt-setup/services-select multiselect security,updates", [], id="commas without blanks"),
        pytest.param("d-i keyboard-configuration/xkb-keymap select fr", [], id="a layout that is no choice"),
        pytest.param("d-i keyboard-configuration/xkb-keymap select us(intl)", [], id="a variant that is no choice"),
        pytest.param("d-i time/zone select US/Eastern", [], id="choices that come at run time"),
        pytest.param("d-i pkgsel/upgrade select safe-upgrade", [], id="a choice with a rule of its own"),
        pytest.param("d-i netcfg/get_gateway string none", [], id="no gateway"),
        pytest.param("d-i netcfg/get_nameservers string 192.0.2.1 2001:db8::1", [], id="two name servers"),
        pytest.param("d-i netcfg/get_hostname string a", [], id="a host name of one letter"),
        pytest.param("d-i netcfg/get_hostname string " + "a" * 64, ["L321:1"], id="a host name of 64 letters"),
        pytest.param("d-i netcfg/hostname string web1.example.org", [], id="a host name with its domain"),
        pytest.param("d-i netcfg/hostname string web1..org", ["L321:1"], id="an empty label"),
        pytest.param("d-i passwd/username string _eve", ["L322:1"], id="a user name that begins with an underscore"),
        pytest.param("d-i passwd/username string " + "a" * 33, ["L322:1"], id="a user name of 33 letters"),
        pytest.param("d-i partman-auto-lvm/guided_size string 20 GB", [], id="a size with a blank"),
        pytest.param("d-i partman-auto-lvm/guided_size string 80 %", [], id="a percentage with a blank"),
        pytest.param("d-i partman-auto-lvm/guided_size string 20.5", ["L324:1"], id="half a what"),
        pytest.param("d-i debian-installer/locale select C.UTF-8", [], id="the locale C"),
        pytest.param("d-i debian-installer/locale select de_DE.UTF-8@euro", [], id="a locale with all its parts"),
        pytest.param("d-i debian-installer/locale select de_DE,en_US", ["L320:1"], id="two locales"),
        pytest.param("d-i clock-setup/utc boolean $UTC", ["L309:1"], id="a variable for a boolean"),
        pytest.param("d-i clock-setup/utc boolean maybe", ["L306:1"], id="neither true nor false"),
        pytest.param("d-i my/own boolean yes", ["L201:1", "L306:1"], id="a boolean of one's own"),
        pytest.param("d-i passwd/make-user boolean false\nd-i passwd/username string", [], id="an empty user name"),
        pytest.param(
            "d-i partman/confirm boolean true\nd-i partman/confirm seen false\n", [], id="seen is no second answer"
        ),
        pytest.param(
            "d-i passwd/root-login boolean false\nd-i passwd/root-password-crypted password !\n", [], id="a locked root"
        ),
    ],
)
def test_values_and_questions(text: str, expected: list[str]) -> None:
    assert codes(text + "\n") == expected


@pytest.mark.parametrize(("suite", "expected"), [("bookworm", ["L203:1"]), ("trixie", [])])
def test_a_question_that_came_with_trixie(suite: Suite, expected: list[str]) -> None:
    assert codes("d-i auto-install/cloak_initrd_preseed boolean true\n", suite=suite) == expected


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        pytest.param("d-i partman-auto/disk string /dev/xvda", XEN, [], id="the disk"),
        pytest.param("d-i partman-auto/disk string /dev/xvdb", XEN, ["L501:1"], id="a disk that is attached later"),
        pytest.param("d-i grub-installer/bootdev string default", XEN, [], id="GRUB where it thinks best"),
        pytest.param("d-i grub-installer/bootdev string (hd0)", XEN, [], id="GRUB in its own words"),
        pytest.param("d-i partman-auto/disk string /dev/disk/by-id/x", XEN, [], id="a link"),
        pytest.param("d-i partman-auto/disk string /dev/xvdb", XEN_UNSEEN, [], id="some disk of a PVH guest"),
        pytest.param("d-i partman-auto/disk string /dev/nvme0n1", XEN_UNSEEN, ["L501:1"], id="no disk of any PVH guest"),
        pytest.param("d-i partman-auto/disk string /dev/sda", HVM_UNSEEN, [], id="an emulated disk"),
        pytest.param("d-i partman-auto/disk string /dev/xvda1", NOTHING, [], id="Xen has disks called xvda1"),
        pytest.param("d-i partman-auto/disk string /dev/nvme0n1p1", NOTHING, ["L502:1", "L503:1"], id="a partition"),
        pytest.param("d-i partman-auto/choose_recipe select 30atomic", XEN, [], id="a recipe by its file"),
        pytest.param("d-i partman-auto/choose_recipe select server", XEN, [], id="trixie has it"),
        pytest.param(
            "d-i partman-auto/choose_recipe select All files in one partition (recommended for new users)", XEN, [],
            id="a recipe by its title",
        ),
        pytest.param(
            f"d-i partman-auto/choose_recipe select mine\nd-i partman-auto/expert_recipe string mine :: {ROOT}", XEN, [],
            id="a recipe of one's own by its name",
        ),
        pytest.param(
            "d-i partman-auto/method string raid\nd-i partman-auto/expert_recipe string r :: 9 9 -1 raid method{ raid } .",
            NOTHING, [], id="with RAID the root is elsewhere",
        ),
        pytest.param(
            "d-i partman-auto/expert_recipe string mine :: {% for p in parts %}{{ p }}{% endfor %}", XEN, ["L309:1"],
            id="a recipe that a template makes",
        ),
    ],
)  # fmt: skip
def test_disks_and_recipes(text: str, given: Given, expected: list[str]) -> None:
    assert codes(text + "\n", given) == expected


def test_bookworm_has_no_recipe_for_servers() -> None:
    assert codes("d-i partman-auto/choose_recipe select server\n", suite="bookworm") == ["L514:1"]


def test_faults_of_a_recipe_are_in_the_lines_of_the_file() -> None:
    lines = [
        "# partitions",
        "d-i partman-auto/expert_recipe string \\",
        "  mine :: \\",
        "# a comment, which the installer leaves out",
        f"  {ROOT} \\",
        "",
        "  64 64 512 linux-swap method{ swap } format{ } . \\",
        "  10G 20 -1 ext4 method{ format } format{ } use_filesystem{ } mountpoint{ /srv } .",
    ]
    assert "L510:8" in codes("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("in-target apt-get update", [], id="apt-get in the target"),
        pytest.param("chroot /target apt-get update", [], id="by chroot"),
        pytest.param("echo apt-get", [], id="as an argument"),
        pytest.param("in-target sh -c 'a; apt-get update'", [], id="within quotes"),
        pytest.param("echo a # apt-get update; apt-get", [], id="in a comment"),
        pytest.param("cp a /target/usr/bin/bash", [], id="a file of that name"),
        pytest.param("DEBIAN_FRONTEND=noninteractive apt-get update", ["L602:1"], id="behind an assignment"),
        pytest.param("if true; then apt-get update; fi", ["L602:1"], id="behind then"),
        pytest.param("x=$(/usr/bin/curl y)", ["L602:1"], id="with its path, in a substitution"),
        pytest.param("echo a | tee /target/b", ["L602:1"], id="tee"),
        pytest.param("in-target ls >/tmp/x 2>&1", [], id="output into the installer's /tmp"),
        pytest.param("in-target ls > /target/x", [], id="output into the target"),
        pytest.param("in-target ls 2>/root/x", ["L604:1"], id="errors into the installer"),
        pytest.param("echo a > /etc/x", [], id="the installer's own business"),
        pytest.param("in-target ls; poweroff", ["L606:1"], id="the end"),
        pytest.param("echo 'a:b' | in-target chpasswd -e", [], id="a hash for chpasswd"),
        pytest.param("wget -O /x https://a.example.org/x; sh /x", [], id="a script by https"),
    ],
)
def test_commands(command: str, expected: list[str]) -> None:
    assert codes(f"d-i preseed/late_command string {command}\n") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ name }}", True), ("<%= name %>", True), ("${NAME}", True), ("$NAME", True), ("@NAME@", True),
        ("__NAME__", True), ("<name>", True), ("[MD5 hash]", True), ("CHANGEME", True), ("%NAME%", True),
        ("", False), ("100%", False), ("$6$salt$hash", False), ("$y$j9T$salt$hash", False), ("a@b.example.org", False),
        ("20 GB", False), ("(hd0)", False), ("http://a.example.org/%7Ex", False),
    ],
)  # fmt: skip
def test_placeholders(value: str, *, expected: bool) -> None:
    assert is_placeholder(value) is expected


def test_the_shell_is_asked_about_commands_that_could_be_wrong_once_each() -> None:
    text = (
        "d-i preseed/early_command string sh /domu/early.sh\n"
        "d-i preseed/late_command string echo 'a'\n"
        "d-i partman/early_command string echo 'a'\n"
        "d-i preseed/include_command string {{ x }} 'y\n"
        "d-i mirror/http/proxy string it's\n"
    )
    assert shell_scripts(parse_preseed(text.encode())) == ("echo 'a'",)


def test_commands_are_cut_at_what_separates_them() -> None:
    found = simple_commands("A=1 one 'x; y' && { two; } | (three) || four # five; six")
    assert [words[0] for words in found] == ["one", "two", "three", "four"]


@pytest.mark.parametrize(("loading", "expected"), [("initrd", ["L125"]), (None, []), ("file", []), ("network", [])])
def test_a_newline_sign_does_harm_to_what_debconf_reads_from_disk(loading: Loading | None, expected: list[str]) -> None:
    file = parse_preseed(b"d-i preseed/late_command string \\\n  printf 'a\\nb' >/target/etc/x\n")
    found = lint(file, given=Given(loading=loading))
    assert [finding.code for finding in found] == expected
    assert {finding.place.line for finding in found} <= {2}
