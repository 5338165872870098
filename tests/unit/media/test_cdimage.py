"""Which ISO of a listing a suite's guests start from, and whose signature on the listing counts."""

from __future__ import annotations

import pytest

from builder.errors import BuilderError
from builder.media.cdimage import CD_KEYS, ROLE_KEYRING, find_netinst, find_pinned, may_vouch
from builder.profile.model import Guest

DIGEST = "ab" * 32


def listing(*names: str) -> dict[str, str]:
    return {name: f"{number:064x}" for number, name in enumerate(names)}


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["debian-13.1.0-amd64-netinst.iso"], "debian-13.1.0-amd64-netinst.iso"),
        (["debian-13.9.0-amd64-netinst.iso", "debian-13.10.0-amd64-netinst.iso"], "debian-13.10.0-amd64-netinst.iso"),
        (["debian-edu-13.2.0-amd64-netinst.iso", "debian-13.1.0-amd64-netinst.iso"], "debian-13.1.0-amd64-netinst.iso"),
        (["debian-13.2.0-arm64-netinst.iso", "debian-13.1.0-amd64-netinst.iso"], "debian-13.1.0-amd64-netinst.iso"),
        (["debian-12.13.0-amd64-netinst.iso", "debian-13.0.0-amd64-netinst.iso"], "debian-13.0.0-amd64-netinst.iso"),
    ],
    ids=["one", "by-number", "edu", "arch", "suite"],
)
def test_the_newest_netinst_of_suite_and_architecture(names: list[str], chosen: str) -> None:
    assert find_netinst(listing(*names), suite="trixie", arch="amd64").name == chosen


@pytest.mark.parametrize(
    "name",
    [
        "debian-13-amd64-netinst.iso",
        "debian-130.1.0-amd64-netinst.iso",
        "debian-13.1.0-amd64-DVD-1.iso",
        "debian-13.1.0-amd64-netinst.iso.zsync",
        "../debian-13.1.0-amd64-netinst.iso",
        "other/debian-13.1.0-amd64-netinst.iso",
        "debian-testing-amd64-netinst.iso",
    ],
)
def test_others_are_none(name: str) -> None:
    with pytest.raises(BuilderError, match="no netinst ISO of trixie for amd64"):
        find_netinst(listing(name), suite="trixie", arch="amd64")


def test_a_pinned_one_may_be_any_iso_of_the_folder() -> None:
    assert find_pinned({"debian-13.1.0-amd64-DVD-1.iso": DIGEST}, DIGEST).name == "debian-13.1.0-amd64-DVD-1.iso"
    for name in ("debian-13.1.0-amd64.jigdo", "other/debian-13.1.0-amd64-netinst.iso"):
        with pytest.raises(BuilderError, match="no ISO there has the pinned"):
            find_pinned({name: DIGEST}, DIGEST)


@pytest.mark.parametrize(
    ("keyring", "signers", "may"),
    [
        (ROLE_KEYRING, ["DF9B9C49EAA9298432589D76DA87E80D6294BE9B"], True),
        (ROLE_KEYRING, ["0" * 40, "DF9B9C49EAA9298432589D76DA87E80D6294BE9B"], True),
        (ROLE_KEYRING, ["0" * 40], False),
        ("keys/own.gpg", ["0" * 40], True),
    ],
    ids=["cd-team", "among-others", "another-role", "own-keyring"],
)
def test_of_debians_roles_only_the_cd_team_vouches_for_isos(keyring: str, signers: list[str], may: bool) -> None:
    assert may_vouch(keyring, signers) is may


def test_the_profile_starts_from_the_same_keyring() -> None:
    assert Guest.model_fields["iso_keyring"].default == ROLE_KEYRING
    assert all(len(key) == 40 for key in CD_KEYS)
