"""The catalogue as a value: what it knows, what it refuses to know, its forms, what differs between two."""

from __future__ import annotations

import gzip
import json
from typing import get_args

import pytest

from builder.errors import BuilderError
from builder.host.catalogue import SHIPPED, find_catalogue, shipped_catalogue, shipped_suites
from builder.preseed.catalogue import (
    Catalogue,
    Known,
    Provenance,
    Question,
    Unknown,
    Unread,
    UnreadPackage,
    merge_questions,
)
from builder.preseed.catalogue_diff import Change, Uncertain, diff_catalogues
from builder.preseed.catalogue_form import catalogue_data, read_compact, write_compact
from builder.preseed.owners import possible_prefixes
from builder.preseed.templates import TYPES
from builder.preseed.untemplated import BOOT_ALIASES, DECLARED, FAMILIES, Family
from builder.profile.model import Suite


def question(
    name: str,
    kind: str = "string",
    *,
    package: str = "toy",
    provenance: Provenance = "udeb",
    default: str = "",
    choices: tuple[str, ...] = (),
) -> Question:
    target = provenance == "deb"
    return Question(
        name, kind, default, choices, False, "Why?", "", package, provenance, installer=not target, target=target
    )


def unread(*packages: str) -> tuple[UnreadPackage, ...]:
    return tuple(UnreadPackage(package, "gone", possible_prefixes(package)) for package in packages)


def catalogue(*questions: Question, missing: tuple[str, ...] = (), suite: str = "trixie") -> Catalogue:
    return Catalogue(
        suite, "amd64", "20250803", merge_questions(questions), unread(*sorted(missing)), {"initrd": "0" * 64}
    )


TOY = catalogue(
    question("netcfg/get_hostname", default="debian"),
    question("netcfg/get_domain"),
    question("toy/colour", "select", choices=("red", "a, b")),
    missing=("grub-installer", "user-setup-udeb", "partman-target", "postgresql-17"),
)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        pytest.param("toy/colour", Known(TOY.by_name["toy/colour"]), id="known"),
        pytest.param("toy/color", Unknown(("toy/colour",)), id="a slip of the pen"),
        pytest.param("netcfg/hostname", Unknown(("netcfg/get_hostname",)), id="a forgotten word"),
        pytest.param("entirely/other", Unknown(()), id="nothing like it"),
        pytest.param("grub-installer/bootdev", Unread(("grub-installer",)), id="the package was not read"),
        pytest.param("passwd/username", Unread(("user-setup-udeb",)), id="the package's other prefix"),
        pytest.param("user-setup/password-empty", Unread(("user-setup-udeb",)), id="the prefix without -udeb"),
        pytest.param("partman/mount_style", Unread(("partman-target",)), id="all of partman shares a prefix"),
        pytest.param("postgresql/purge", Unread(("postgresql-17",)), id="the prefix without a version"),
        pytest.param("debian-installer/grub-installer/title", Unread(("grub-installer",)), id="the name further on"),
        pytest.param("keymap", Unknown(()), id="a boot parameter's name is no question"),
        pytest.param("", Unknown(()), id="empty"),
        pytest.param("/" * 4000, Unknown(()), id="hostile"),
    ],
)
def test_may_exist(name: str, answer: object) -> None:
    assert TOY.may_exist(name) == answer


def test_anybody_may_own_what_is_shared() -> None:
    assert isinstance(TOY.may_exist("shared/mailname"), Unread)
    assert isinstance(catalogue().may_exist("shared/mailname"), Unknown)


@pytest.mark.parametrize(
    ("name", "suites"),
    [
        ("apt-setup/local0/repository", {"bookworm", "trixie"}),
        ("apt-setup/local12/key", {"bookworm", "trixie"}),
        ("apt-setup/local0/options", {"trixie"}),
        ("apt-setup/local/repository", set()),
        ("apt-setup/local0/repositry", set()),
        ("mirror/ftp/directory", {"bookworm", "trixie"}),
        ("mirror/htpp/directory", set()),
    ],
)
def test_families_of_names(name: str, suites: set[str]) -> None:
    assert {suite for suite in ("bookworm", "trixie") if catalogue(suite=suite).find(name)} == suites


def test_the_installers_own_declaration_wins_and_the_others_are_kept() -> None:
    merged = catalogue(
        question("keyboard-configuration/xkb-keymap", provenance="deb", package="keyboard-configuration"),
        question("keyboard-configuration/xkb-keymap", "select", provenance="initrd", package="console-setup-udeb"),
    ).questions
    assert [(one.type, one.package, one.also) for one in merged] == [
        ("select", "console-setup-udeb", ("keyboard-configuration",))
    ]
    assert merged[0].installer
    assert merged[0].target


def test_the_package_of_that_name_owns_it() -> None:
    names = ["aaa", "toy-udeb", "zzz"]
    assert catalogue(*(question("toy/x", package=name) for name in names)).questions[0].package == "toy-udeb"


def test_the_compact_form_comes_back_and_is_always_the_same() -> None:
    data = write_compact(TOY)
    assert read_compact(data, name="toy") == TOY
    assert write_compact(read_compact(data, name="toy")) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no gzip",
        gzip.compress(b"{}"),
        gzip.compress(b"[]"),
        gzip.compress(b'{"format": 2}'),
        gzip.compress(b"\xff"),
        write_compact(TOY)[:-40],
        gzip.compress(gzip.decompress(write_compact(TOY)).replace(b'"name":[', b'"name":["more",')),
    ],
    ids=["empty", "no gzip", "nothing in it", "a list", "another format", "no text", "cut", "a column too long"],
)
def test_a_damaged_compact_form_is_refused(data: bytes) -> None:
    with pytest.raises(BuilderError, match="the toy is no catalogue"):
        read_compact(data, name="the toy")


def test_json_has_what_programs_need() -> None:
    data = json.loads(json.dumps(catalogue_data(TOY, TOY.questions)))
    assert data["suite"] == "trixie"
    assert data["installer"] == "20250803"
    assert data["questions"][2] | {"extended": "", "also": []} == {
        "name": "toy/colour",
        "type": "select",
        "choices": ["red", "a, b"],
        "substituted": False,
        "default": "",
        "description": "Why?",
        "extended": "",
        "package": "toy",
        "also": [],
        "provenance": "udeb",
        "installer": True,
        "target": False,
    }
    assert {"package": "partman-target", "why": "gone", "prefixes": ["partman", "partman-target"]} in data["unread"]


def test_what_changes_between_two() -> None:
    old = catalogue(
        question("a/gone"),
        question("b/perhaps-gone", package="b"),
        question("c/type", "error"),
        question("d/default", default="1024"),
        question("e/choices", "select", choices=("x", "y")),
        question("f/order", "select", choices=("x", "y")),
        question("g/same"),
    )
    new = catalogue(
        question("a/new"),
        question("c/type", "boolean"),
        question("d/default", default="false"),
        question("e/choices", "select", choices=("x", "z")),
        question("f/order", "select", choices=("y", "x")),
        question("g/same"),
        missing=("b",),
    )
    found = diff_catalogues(old, new)
    assert found.added == (Uncertain("a/new"),)
    assert found.removed == (Uncertain("a/gone"), Uncertain("b/perhaps-gone", ("b",)))
    assert found.types == (Change("c/type", "error", "boolean"),)
    assert found.defaults == (Change("d/default", "1024", "false"),)
    assert found.choices == (Change("e/choices", "-y", "+z"), Change("f/order", "in this order", "y, x"))
    assert not any(
        diff_catalogues(old, old).data()[key] for key in ("added", "removed", "types", "defaults", "choices")
    )


@pytest.mark.parametrize(
    ("suite", "installer", "least"), [("bookworm", "20230607+deb12u15", 1100), ("trixie", "20250803+deb13u7", 1500)]
)
def test_what_ships(suite: str, installer: str, least: int) -> None:
    shipped = shipped_catalogue(suite)
    assert (shipped.suite, shipped.arch, shipped.installer) == (suite, "amd64", installer)
    assert len(shipped.questions) >= least
    assert {one.type for one in shipped.questions} <= TYPES
    assert [one.name for one in shipped.questions] == sorted({one.name for one in shipped.questions})
    assert (SHIPPED / f"{suite}.json.gz").stat().st_size < 150_000
    for name in ("netcfg/get_hostname", "partman-auto/method", "tasksel/first", "passwd/username", "tzdata/Areas"):
        assert shipped.find(name), name
    assert all(shipped.find(row.template.name) for row in DECLARED if suite in row.suites)


def test_every_suite_that_profiles_may_name_has_a_catalogue() -> None:
    assert set(shipped_suites()) == set(get_args(Suite))


@pytest.mark.parametrize("alias", BOOT_ALIASES)
def test_boot_parameters_stand_for_questions(alias: str) -> None:
    assert shipped_catalogue("trixie").find(BOOT_ALIASES[alias]) or alias == "dmraid"
    assert not shipped_catalogue("trixie").find(alias)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.shown)
def test_members_that_are_declared_have_the_type_of_their_family(family: Family) -> None:
    for suite in shipped_suites():
        declared = [one for one in shipped_catalogue(suite).questions if family.matches(one.name, suite)]
        assert {one.type for one in declared} <= {family.type}


def test_known_differences_of_the_two_releases() -> None:
    found = diff_catalogues(shipped_catalogue("bookworm"), shipped_catalogue("trixie"))
    assert Change("partman-crypto/crypto_root_needs_boot", "error", "boolean") in found.types
    assert Change("partman-auto/cap-ram", "1024", "false") in found.defaults
    assert Uncertain("tzdata/Zones/US") in found.removed
    assert Uncertain("auto-install/cloak_initrd_preseed") in found.added
    assert Uncertain("grub-installer/bootdev", ("grub-installer",)) in found.added  # not read for bookworm


def test_no_catalogue_for_an_unknown_suite() -> None:
    with pytest.raises(BuilderError, match="no catalogue ships for suite 'sid'"):
        find_catalogue("sid", "amd64", stores=[])
