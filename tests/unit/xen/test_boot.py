"""Which boot method which guest gets, and which guests none can start."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest

from builder.errors import BuilderError
from builder.findings import Severity
from builder.profile.model import Arch, GuestType, Suite
from builder.profile.rules import BOOTLOADERS
from builder.xen.boot import LONGEST_LINE, advise, boot_of, check_boot, check_hook, choose, installed_line, needs_hook
from builder.xen.boot_facts import BootFacts, Need, Told, assumed_facts, unpacks_by, usual_unpacks
from builder.xen.boot_matrix import AUTO, METHODS, NEEDS, WAYS
from builder.xen.config import quoted, render_install_config, render_run_config
from builder.xen.kernel import USUAL, Compression, Kernel
from tests.guests import guest, rendered


def dom0(xen: tuple[int, int] = (4, 17), *, without: Need | None = None) -> BootFacts:
    """A dom0 that was looked at, and lacks one thing."""
    facts = assumed_facts()
    has = {need: Told(need != without, "read here") for need in facts.has}
    return BootFacts(Told(xen, "read here"), has, Told(usual_unpacks(xen).value, "read here"))


def kernel(compression: Compression) -> Kernel:
    return Kernel(compression, "6.12", "read from vmlinuz")


@pytest.mark.parametrize(
    ("kind", "suite", "method", "hook"),
    [
        ("pv", "bookworm", "pvgrub", True),
        ("pv", "trixie", "pvgrub", True),
        ("pvh", "bookworm", "pvhgrub", False),
        ("pvh", "trixie", "pvhgrub", False),
        ("hvm", "bookworm", "firmware", False),
        ("hvm", "trixie", "firmware", False),
    ],
)
def test_auto_is_a_method_that_works(kind: str, suite: str, method: str, hook: bool) -> None:
    one = guest(type=kind, suite=suite)
    boot, why = boot_of(one)
    assert boot.method == method
    assert list(check_boot(one)) == []
    config = render_run_config(one)
    assert f"# Boot method {method}: " in config
    assert why in config
    assert needs_hook(one) is hook
    assert [*check_hook(one, rendered(one).files)] == []


@pytest.mark.parametrize("suite", get_args(Suite))
@pytest.mark.parametrize(("arch", "kind"), [*product(get_args(Arch), get_args(GuestType))])
def test_auto_never_makes_dom0_read_a_disk_or_go_stale(arch: str, kind: str, suite: str) -> None:
    choice = choose(guest(arch=arch, type=kind, suite=suite))
    assert (choice.chosen is None) is (arch == "arm64")
    if choice.chosen:
        assert (choice.chosen.outcome, choice.chosen.way.caveat) == ("works", "")


def test_the_rows_are_the_methods_that_a_profile_may_name() -> None:
    for kind, methods in BOOTLOADERS.items():
        assert {method for row, method in WAYS if row == kind} == set(methods) - {"auto"}
    assert {method for _kind, method in WAYS} == METHODS.keys()
    assert {need for way in WAYS.values() for need in way.dom0} == NEEDS.keys()
    assert {(kind, method) for (_arch, kind), method in AUTO.items()} <= WAYS.keys()


# (guest type, method) -> compressions that it can start, Xen 4.17 as Debian builds it
STARTS: dict[tuple[str, str], str] = {
    ("pv", "pvgrub"): "none gzip xz lzo zstd",
    ("pv", "pygrub"): "none gzip xz lzma lz4 zstd",
    ("pv", "direct"): "none gzip xz lzma lz4 zstd",
    ("pvh", "pvhgrub"): "none gzip bzip2 lzma xz lzo lz4 zstd",
    ("pvh", "pygrub"): "none gzip xz lzma lz4 zstd",
    ("pvh", "direct"): "none gzip xz lzma lz4 zstd",
    ("hvm", "firmware"): "none gzip bzip2 lzma xz lzo lz4 zstd",
    ("hvm", "direct"): "none gzip bzip2 lzma xz lzo lz4 zstd",
}


@pytest.mark.parametrize("compression", get_args(Compression))
@pytest.mark.parametrize(("kind", "method"), STARTS)
def test_each_row_by_the_kernels_compression(kind: str, method: str, compression: Compression) -> None:
    one = guest(type=kind, bootloader=method, dom0_reads_disk=True, kernel_args=["root=/dev/xvda1"])
    choice = choose(one, dom0(), kernel(compression))
    assert choice.chosen
    starts = compression in STARTS[kind, method].split()
    assert (choice.chosen.outcome != "cannot") is starts
    assert choice.chosen.hook is (method == "pvgrub" and compression == "zstd")
    found = [finding.code for finding in check_boot(one, dom0(), kernel(compression))]
    assert found == ([] if starts else ["X102"])


@pytest.mark.parametrize(("kind", "method"), WAYS)
def test_each_row_needs_what_dom0_must_have(kind: str, method: str) -> None:
    one = guest(type=kind, bootloader=method, dom0_reads_disk=True, kernel_args=["root=/dev/xvda1"])
    assert list(check_boot(one, dom0())) == []
    for need, (what, hint) in NEEDS.items():
        found = list(check_boot(one, dom0(without=need)))
        if need in WAYS[one.type, METHODS[method].method].dom0:
            (finding,) = found
            assert (finding.code, finding.hint) == ("X102", hint)
            assert what in finding.message
        else:
            assert found == []


def test_xen_before_4_15_cannot_unpack_zstd() -> None:
    one = guest(bootloader="pygrub", dom0_reads_disk=True)
    assert [finding.code for finding in check_boot(one, dom0((4, 14)))] == ["X102"]
    assert list(check_boot(one, dom0((4, 15)))) == []
    assert list(check_boot(guest(), dom0((4, 14)))) == []  # GRUB in the guest does not ask libxenguest


def test_what_was_not_looked_at_is_said_to_be_assumed() -> None:
    one = guest(bootloader="pygrub", dom0_reads_disk=True)
    (finding,) = check_boot(one, assumed_facts("4.14"))
    assert "assumed: as Debian builds Xen 4.14" in finding.message
    assert "assumed: so were trixie's kernels" in finding.message
    looked = choose(one, dom0(), kernel("zstd")).chosen
    assert looked
    assert looked.assumed == ()


def test_facts_say_where_they_come_from() -> None:
    assert assumed_facts("4.20").xen == Told((4, 20), "profiles/dom0.yaml")
    assert assumed_facts(suite="trixie").xen == Told((4, 20), "profiles/dom0.yaml: trixie's")
    assert assumed_facts().xen == Told((4, 17), "assumed: bookworm's")
    assert unpacks_by(frozenset({"libz.so", "liblzma.so", "libzstd.so"})) == usual_unpacks((4, 17)).value


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_asked_for(method: str) -> None:
    kind = next(kind for kind, fitting in BOOTLOADERS.items() if method in fitting)
    one = guest(type=kind, bootloader=method, kernel_args=["root=/dev/xvda1"], dom0_reads_disk=True)
    assert list(check_boot(one)) == []
    assert f"# Boot method {method}: " in render_run_config(one)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"arch": "arm64"}, "X101", id="no PV on arm64"),
        pytest.param({"arch": "arm64", "type": "pvh"}, "X101", id="no GRUB on arm64"),
        pytest.param({"arch": "arm64", "type": "pvh", "bootloader": "pvhgrub"}, "X102", id="GRUB asked for on arm64"),
        pytest.param({"bootloader": "direct"}, "X103", id="direct without root"),
        pytest.param({"kernel_args": ["x" * 190] * 6}, "X104", id="too long for PV"),
        pytest.param({"bootloader": "pygrub"}, "X105", id="pygrub without a yes"),
    ],
)
def test_what_cannot_start_is_found(changes: dict[str, Any], code: str) -> None:
    (finding,) = check_boot(guest(changes))
    assert (finding.code, finding.guest) == (code, "web1")
    assert finding.hint


def test_templates_without_the_hook_are_found() -> None:
    (finding,) = check_hook(guest(), ["/domu/late.sh"])
    assert (finding.code, finding.severity) == ("X106", Severity.ERROR)
    (finding,) = check_hook(guest(suite="bookworm"), ["/domu/late.sh"])
    assert (finding.code, finding.severity) == ("X106", Severity.WARNING)  # its own kernel needs none
    assert list(check_hook(guest(type="pvh"), [])) == []
    assert list(check_hook(guest(bootloader="pygrub"), [])) == []


def test_pvh_is_advised_where_it_works() -> None:
    for facts, kind, advised in ((dom0(), "pv", True), (dom0(without="hvm"), "pv", False), (dom0(), "pvh", False)):
        one = guest(type=kind)
        assert ("type: pvh" in advise(one, choose(one, facts))) is advised


def test_a_run_config_of_what_auto_cannot_start_is_refused() -> None:
    with pytest.raises(BuilderError, match="auto knows no way for pvh guests on arm64"):
        render_run_config(guest(type="pvh", arch="arm64"))


def test_a_verdict_on_a_kernel_names_its_version() -> None:
    (finding,) = check_boot(guest(), dom0(), replace(USUAL["trixie"], compression="lz4", version="6.99"))
    assert "Linux 6.99, compressed by lz4" in finding.message


@pytest.mark.parametrize("kind", LONGEST_LINE)
def test_a_command_line_may_be_as_long_as_xen_takes_it(kind: str) -> None:
    room = LONGEST_LINE[kind] - len(installed_line(guest(type=kind)))
    words = ["y" * 150] * (room // 151)
    words += ["z" * (room - 151 * len(words) - 1)]
    assert list(check_boot(guest(type=kind, kernel_args=words))) == []
    (finding,) = check_boot(guest(type=kind, kernel_args=[*words[:-1], f"{words[-1]}z"]))
    assert finding.code == "X104"


def test_the_installer_sees_no_data_volume_and_no_secret() -> None:
    one = guest(
        volumes=[{"name": "data", "size": "1G", "mount": "/srv"}],
        root={"password": "$y$j9T$" + "a" * 22 + "$" + "b" * 43},
    )
    install = render_install_config(one)
    assert "data" not in install
    assert "$y$" not in install + render_run_config(one)


@pytest.mark.parametrize("bad", ["a\nb", "a\0", "\x7f", "\u2028", "\udc80"])
def test_what_an_xl_config_cannot_hold_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not printable"):
        quoted(bad)
