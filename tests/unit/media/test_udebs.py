from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.findings import Severity
from builder.media.udebs import (
    UdebPlan,
    check_kernel,
    check_missing,
    parse_present,
    parse_udebs,
    plan_udebs,
)

ABI, OTHER_ABI = "6.12.107+deb13-amd64", "6.12.94+deb13-amd64"


def udeb(name: str, priority: str = "optional", **fields: str) -> str:
    lines = {
        "Package": name,
        "Version": "1.0",
        "Priority": priority,
        "Filename": f"pool/main/{name}_1.0_all.udeb",
        "Size": "1",
        "SHA256": "ab" * 32,
    } | {field.replace("_", "-"): value for field, value in fields.items()}
    return "".join(f"{field}: {value}\n" for field, value in lines.items())


def plan(*stanzas: str, status: str = "") -> UdebPlan:
    return plan_udebs(parse_udebs("\n".join(stanzas).encode()), present=parse_present(status), abi=ABI)


def names(*stanzas: str, status: str = "") -> list[str]:
    return [udeb.package.name for udeb in plan(*stanzas, status=status).anna]


IN_INITRD = "Package: main-menu\nStatus: install ok installed\nVersion: 1.0\nProvides: the-menu\n"
CASES: dict[str, tuple[list[str], str, list[str]]] = {
    "standard and above are taken": (
        [udeb("a", "standard"), udeb("b", "important"), udeb("c", "required"), udeb("d"), udeb("e", "extra")],
        "",
        ["a", "b", "c"],
    ),
    "what is in the initrd is not": ([udeb("main-menu", "standard")], IN_INITRD, []),
    "but a newer one is": ([udeb("main-menu", "standard", Version="1.1")], IN_INITRD, ["main-menu"]),
    "an older one is not": ([udeb("main-menu", "standard", Version="1.0~rc1")], IN_INITRD, []),
    "only the running kernel's modules": (
        [
            udeb(f"scsi-modules-{ABI}-di", "standard", Kernel_Version=ABI),
            udeb(f"scsi-modules-{OTHER_ABI}-di", "standard", Kernel_Version=OTHER_ABI),
        ],
        "",
        [f"scsi-modules-{ABI}-di"],
    ),
    "dependencies, through several steps": (
        [udeb("a", "standard", Depends="b (>= 1), main-menu"), udeb("b", Depends="c"), udeb("c"), udeb("x")],
        IN_INITRD,
        ["a", "b", "c"],
    ),
    "a circle ends": ([udeb("a", "standard", Depends="b"), udeb("b", Depends="a")], "", ["a", "b"]),
    "a dependency that nobody has is passed over": ([udeb("a", "standard", Depends="ghost")], "", ["a"]),
    "a provided name that the initrd has": (
        [udeb("a", "standard", Depends="the-menu"), udeb("b", Provides="the-menu")],
        IN_INITRD,
        ["a"],
    ),
    "the provider of higher priority": (
        [
            udeb("a", "standard", Depends="virtual"),
            udeb("p1", "extra", Provides="virtual"),
            udeb("p2", Provides="virtual, more"),
        ],
        "",
        ["a", "p2"],
    ),
    "the provider that is taken anyway": (
        [
            udeb("a", "standard", Depends="virtual"),
            udeb("p1", "standard", Provides="virtual"),
            udeb("p2", "required", Kernel_Version=OTHER_ABI, Provides="virtual"),
        ],
        "",
        ["a", "p1"],
    ),
    "a provider for another kernel does not count": (
        [
            udeb("a", "standard", Depends="md-modules"),
            udeb("md-old", Kernel_Version=OTHER_ABI, Provides="md-modules"),
            udeb("md-new", Kernel_Version=ABI, Provides="md-modules"),
        ],
        "",
        ["a", "md-new"],
    ),
    "of two versions the newer": (
        [udeb("a", "standard", Version="1.2", Depends="b"), udeb("a", "standard", Version="1.10"), udeb("b")],
        "",
        ["a"],
    ),
    "another machine's subarchitecture": (
        [udeb("a", "standard", Subarchitecture="efikamx"), udeb("b", "standard", Subarchitecture="generic efikamx")],
        "",
        ["b"],
    ),
    "the first alternative alone": ([udeb("a", "standard", Depends="b | c"), udeb("b"), udeb("c")], "", ["a", "b"]),
    "an epoch is no obstacle": ([udeb("main-menu", "standard", Version="1:0.1")], IN_INITRD, ["main-menu"]),
    "a version that is none": ([udeb("odd", "standard")], "Package: odd\nVersion: ?\n", ["odd"]),
    "nothing from nothing": ([], "", []),
}


@pytest.mark.parametrize(("stanzas", "status", "expected"), CASES.values(), ids=CASES)
def test_what_the_installer_pulls(stanzas: list[str], status: str, expected: list[str]) -> None:
    assert names(*stanzas, status=status) == expected


def test_what_partman_asks_for_later_is_kept_apart() -> None:
    made = plan(
        udeb("partman-base", "standard", Depends="shared"),
        udeb("partman-auto-lvm", Depends="partman-base, shared, lvm2-udeb"),
        udeb("lvm2-udeb"),
        udeb("shared"),
    )
    assert [one.package.name for one in made.anna] == ["partman-base", "shared"]
    assert [one.package.name for one in made.partman] == ["lvm2-udeb", "partman-auto-lvm"]
    assert len(made.all) == 4


def test_a_damaged_index_is_a_clear_error() -> None:
    with pytest.raises(BuilderError, match="without 'Filename'"):
        parse_udebs(b"Package: a\nVersion: 1\n")


def test_a_mirror_with_other_modules_is_an_error() -> None:
    udebs = parse_udebs(udeb("scsi", Kernel_Version=OTHER_ABI).encode())
    finding = check_kernel(udebs, ABI, mirror="http://mirror.example.org/debian")
    assert finding is not None
    assert (finding.code, finding.severity) == ("M301", Severity.ERROR)
    assert ABI in finding.message
    assert OTHER_ABI in finding.message
    assert check_kernel(udebs, OTHER_ABI, mirror="") is None


def test_missing_udebs_are_counted_by_who_asks() -> None:
    made = plan(*(udeb(name, "standard") for name in "abcde"), udeb("partman-auto-lvm"))
    finding = check_missing(made, made.anna[:4], suite="trixie", mirror="http://mirror.example.org/debian")
    assert finding is not None
    assert finding.code == "M302"
    assert "4 of the 5 udebs" in finding.message
    assert "0 of the 1" in finding.message
    assert finding.message.endswith("a, b, c, ...")
    assert check_missing(made, (), suite="trixie", mirror="") is None
