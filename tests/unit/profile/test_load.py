"""Profiles to guests: layers, places, every error at once, and nothing that should stay unsaid."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builder.findings import Severity
from builder.profile.load import SourceText, load_site
from builder.profile.show import profile_data, profile_text, why_data
from tests.profiles import FULL, HASH, SITE, changed, codes, load


def test_a_profile_that_sets_every_field_is_sound() -> None:
    loaded = load(FULL)
    assert [str(one) for one in loaded.findings if one.severity is Severity.ERROR] == []
    assert [guest.name for guest in loaded.guests] == ["web1"]


# ---------------------------------------------------------------------------------------------------- layers


def test_later_layers_win_mappings_merge_lists_are_replaced_or_added_to() -> None:
    loaded = load(
        "extends: [one, two]\npackages+: [cc]\ndisk: {label: gpt}\n",
        site={**SITE, "packages": ["aa"], "disk": {"size": "4G"}},
        one="layer: true\nmemory: 2G\npackages+: [bb]\nvcpus: 2\n",
        two="layer: true\nmemory: 3G\nkernel_args: [quiet]\n",
    )
    (guest,) = loaded.guests
    assert str(guest.memory) == "3G"
    assert guest.vcpus == 2
    assert guest.packages == ("aa", "bb", "cc")
    assert (str(guest.disk.size), guest.disk.label) == ("4G", "gpt")
    assert loaded.files["web1"] == tuple(f"profiles/{stem}.yaml" for stem in ("site", "one", "two", "web1"))


def test_plus_adds_to_a_default_and_within_a_mapping() -> None:
    loaded = load(
        {"tasks+": ["ssh-server"], "root": {"ssh_keys+": [SITE["ssh_keys"][0] + "2"]}},
        site={**SITE, "root": {"ssh_keys": SITE["ssh_keys"]}},
    )
    (guest,) = loaded.guests
    assert guest.tasks == ("standard", "ssh-server")
    assert len(guest.root.ssh_keys) == 2


def test_a_mapping_replaces_a_word_and_a_word_a_mapping() -> None:
    loaded = load({"root": {"password": {"env": "A"}}}, site={**SITE, "root": {"password": {"file": "b"}}})
    password = loaded.guests[0].root.password
    assert password is not None
    assert (password.env, password.file) == ("A", None)
    loaded = load(
        {"disk": {"recipe": "atomic"}}, site={**SITE, "disk": {"partitions": [{"mount": "/", "minimum": "1G"}]}}
    )
    assert (loaded.guests[0].disk.recipe, loaded.guests[0].disk.partitions) == ("atomic", ())


def test_layers_of_layers_come_once_and_layers_are_no_guests() -> None:
    loaded = load(
        "extends: [left, right]\n",
        left="layer: true\nextends: base\nvcpus: 2\n",
        right="layer: true\nextends: base\nkeyboard: de\n",
        base="layer: true\nvcpus: 1\nkeyboard: fr\n",
    )
    assert loaded.names == ("web1",)
    assert (loaded.guests[0].vcpus, loaded.guests[0].keyboard) == (2, "de")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"web1": "extends: bse\n", "base": "layer: true\n"},
            "profiles/web1.yaml:1:10: error P020: extends 'bse', which is no file here\n    did you mean 'base'?",
            id="unknown",
        ),
        pytest.param(
            {"web1": "extends: web1\n"},
            "profiles/web1.yaml:1:10: error P020: extends goes in a circle: web1 -> web1\n    take one of them out",
            id="itself",
        ),
        pytest.param(
            {"web1": "vcpus: 1\nextends: {a: b}\n"},
            "profiles/web1.yaml:2:10: error P021: extends is neither a name nor a list of names\n"
            "    write extends: NAME or extends: [NAME, NAME], without .yaml",
            id="mapping",
        ),
        pytest.param(
            {"one": "layer: true\nname: web1\n"},
            "profiles/one.yaml:2:7: error P021: a layer gives a name to its guests\n"
            "    remove the line: a guest's name is its own",
            id="name-in-a-layer",
        ),
        pytest.param(
            {"web1": "packages+: vim\n"},
            "profiles/web1.yaml:1:12: error P022: 'packages+' adds to a list and is none\n    write [...] or - items",
            id="plus-without-a-list",
        ),
        pytest.param(
            {"web1": "packages+: [vim]\npackages: [less]\n"},
            "profiles/web1.yaml:1:12: error P022: packages+ and packages stand in the same mapping\n"
            "    keep one: with + it adds to the list below, without it replaces",
            id="both",
        ),
    ],
)
def test_what_is_wrong_with_layers(files: dict[str, str], expected: str) -> None:
    assert expected in [str(finding) for finding in load(**({"guest": "{}\n"} | _renamed(files))).findings]


def _renamed(files: dict[str, str]) -> dict[str, Any]:
    return {"guest" if stem == "web1" else stem: text for stem, text in files.items()}


def test_circles_end() -> None:
    loaded = load("extends: a\n", a="layer: true\nextends: b\n", b="layer: true\nextends: a\n")
    assert set(codes(loaded)) == {"P020"}
    assert loaded.guests == ()


def test_two_guests_of_one_name() -> None:
    loaded = load("vcpus: 1\n", old="name: web1\n")
    assert codes(loaded) == ["P201"]
    assert loaded.guests == ()
    twins = [SourceText(f"profiles/web1.{ending}", "web1", b"vcpus: 1\n") for ending in ("yaml", "yml")]
    assert "P201" in codes(load_site(twins))


# ---------------------------------------------------------------------------------------------------- errors

URL = "a URL without user, query and blanks, as in http://mirror.example.org/debian"


def test_all_errors_of_all_files_at_once_each_where_it_stands() -> None:
    loaded = load(
        "memroy: 2G\nsuite: trixi\nnics:\n  - bridge: xenbr0\n    ipv4:\n      adress: 192.0.2.1/24\n",
        site={**SITE, "vcpus": "two"},
        db1="disk: {label: gtp}\n",
        broken="a: [\n",
    )
    assert [str(finding).split(": ", 2)[:2] for finding in loaded.findings] == [
        ["profiles/broken.yaml:2:1", "error P002"],
        ["profiles/db1.yaml:1:15", "error P032"],
        ["profiles/site.yaml:1:218", "error P032"],
        ["profiles/web1.yaml:1:1", "error P030"],
        ["profiles/web1.yaml:2:8", "error P032"],
        ["profiles/web1.yaml:6:7", "error P030"],
        ["profiles/web1.yaml:6:7", "error P031"],
    ]
    assert loaded.guests == ()
    assert loaded.names == ("broken", "db1", "web1")


@pytest.mark.parametrize(
    ("guest", "message", "hint"),
    [
        ("memroy: 2G", "unknown key 'memroy'", "did you mean 'memory'?"),
        ("suite: trixi", "suite: 'trixi' is not one of bookworm, trixie", "did you mean 'trixie'?"),
        ("vcpus: two", "vcpus: 'two' is text, and a whole number is wanted", "vcpus: Virtual CPUs"),
        ("vcpus: '2'", "vcpus: '2' is text, and a whole number is wanted", "vcpus: Virtual CPUs"),
        ("vcpus: 0", "vcpus: 0 should be greater than or equal to 1", "vcpus: Virtual CPUs"),
        ("ntp: 'yes'", "ntp: 'yes' is text, and true or false is wanted", "ntp: The installer sets its clock by NTP"),
        ("description: 12", "description: 12 is a number, and text is wanted", "quote it"),
        ("packages: vim", "packages: 'vim' is text, and a list is wanted", "packages: Installed besides the tasks"),
        (
            "memory: 512",
            "memory: '512': a size needs a unit",
            "write a number with a unit: 1024M or 10G (1024-based), 10GB (1000-based)",
        ),
        ("disk: big", "disk: 'big' is text, and a mapping is wanted", "disk: The system disk"),
        ("dns: [5]", "dns[0]: 5 is not an address, as in 192.0.2.1 or 2001:db8::1", "dns: Name servers, for NICs without DHCP"),
        (
            "nics: [{bridge: b, ipv4: dchp}]",
            "nics[0].ipv4: 'dchp' is not one of dhcp, none, nor a mapping",
            "did you mean 'dhcp'?",
        ),
        (
            "nics: [{bridge: b, ipv4: {address: 192.0.2.1}}]",
            "nics[0].ipv4.address: '192.0.2.1' has no prefix length",
            "write an IPv4 address with its prefix, as in 192.0.2.10/24 or 203.0.113.7/32",
        ),
        (
            "nics: [{mode: routed}]",
            "nics[0]: mode routed needs ipv4: {address: ..., gateway: ...}",
            "no DHCP crosses a routed vif",
        ),
        (
            "proxy: ftp://a",
            f"proxy: 'ftp://a' is not {URL}, nor auto or none",
            "proxy: apt-cacher: apt's own, else this machine's port 3142",
        ),
        ("nics: []", "nics: should have at least 1 item, not 0", "nics: Network interfaces; the first one installs"),
    ],
)  # fmt: skip
def test_errors_say_what_was_seen_and_what_to_write(guest: str, message: str, hint: str) -> None:
    (finding,) = load(guest + "\n").findings
    assert (finding.message, finding.hint) == (message, hint)


def test_what_is_missing_is_said_once_per_guest() -> None:
    loaded = load("vcpus: 1\n", site="memory: 1G\nvolume_group: vg0\n")
    assert [finding.message for finding in loaded.findings] == ["nics is missing", "suite is missing"]
    assert {str(finding.place) for finding in loaded.findings} == {"profiles/web1.yaml:1:1"}


def test_an_error_in_site_yaml_is_said_once_not_once_per_guest() -> None:
    loaded = load("{}\n", site={**SITE, "memory": "much"}, web2="{}\n", web3="packages+: [vim]\n")
    assert codes(loaded) == ["P032"]
    loaded = load("{}\n", site="suite: [\n", web2="{}\n")
    assert codes(loaded) == ["P002"]
    assert loaded.names == ("web1", "web2")
    loaded = load("packages+: [vim]\n", site={**SITE, "packages": ["BAD"]})
    assert codes(loaded) == ["P032"]


def test_a_refused_value_is_said_once_and_does_not_hide_the_next() -> None:
    loaded = load("keyboard: no\nsuite: trixi\nnics:\n  - bridge:\n")
    assert codes(loaded) == ["P009", "P032", "P008"]


def test_sound_guests_stay_sound_beside_broken_ones() -> None:
    loaded = load("vcpus: 1\n", web2="vcpus: x\n")
    assert [guest.name for guest in loaded.guests] == ["web1"]
    assert list(loaded.unsound) == ["web2"]
    assert loaded.findings_for("web1") == ()
    assert [finding.code for finding in loaded.findings_for("web2")] == ["P032"]


# --------------------------------------------------------------------------------------------------- origins


def test_every_value_knows_the_file_line_and_column_that_set_it() -> None:
    loaded = load("extends: base\nnics:\n  - bridge: xenbr1\n", base="layer: true\nvcpus: 2\n", site=SITE)
    why = why_data(loaded.guests[0], loaded.origins["web1"])
    assert why["vcpus"] == "profiles/base.yaml:2:8"
    assert why["nics[0].bridge"] == "profiles/web1.yaml:3:13"
    assert why["nics[0].mac"] == "default"
    assert why["memory"].startswith("profiles/site.yaml:1:")
    assert why["name"] == "from the file's name"


# --------------------------------------------------------------------------------------------------- secrets

LEAKS = [
    pytest.param("root: {password: canary}\n", id="password"),
    pytest.param("root: {password: 0123canary}\n", id="password-like-a-number"),
    pytest.param("root: {password: [canary]}\n", id="list"),
    pytest.param("root: {password: {canary}}\n", id="key"),
    pytest.param("root: {password: {canary, canary}}\n", id="two-keys"),
    pytest.param("root: {password: {hash: canary}}\n", id="hash"),
    pytest.param("root: {password: {hsh: canary}}\n", id="mistyped-hash"),
    pytest.param("root: {password: {hash: [canary]}}\n", id="list-in-hash"),
    pytest.param("root: {pasword: canary}\n", id="mistyped-password"),
    pytest.param("root: canary\n", id="password-for-root"),
    pytest.param("rot: {password: canary}\n", id="mistyped-root"),
    pytest.param("password: canary\n", id="elsewhere"),
    pytest.param("root: {password: *canary }\n", id="alias"),
    pytest.param("root: {password: &canary }\n", id="anchor"),
    pytest.param("root: {password: !canary x}\n", id="tag"),
    pytest.param("root: {password: !<canary> x}\n", id="verbatim-tag"),
    pytest.param("root: {password: 'canary}\n", id="open-quote"),
    pytest.param('root: {password: "\\canary"}\n', id="bad-escape"),
    pytest.param("root: {password: canary: canary}\n", id="two-colons"),
    pytest.param("root: {password: @canary}\n", id="reserved-sign"),
    pytest.param("root: {password: {file: 'canary; rm'}}\n", id="file"),
    pytest.param("root: {password: {env: canary-}}\n", id="env"),
    pytest.param("debconf: [{question: passwd/root-password, value: canary}]\n", id="answer"),
    pytest.param('debconf: [{question: a/b, value: "canary\\n"}]\n', id="answer-of-two-lines"),
]


@pytest.mark.parametrize("text", LEAKS)
def test_what_may_be_a_secret_is_refused_without_repeating_it(text: str) -> None:
    loaded = load(text)
    assert loaded.guests == ()
    assert loaded.findings
    said = "\n".join(str(finding) for finding in loaded.findings) + repr(loaded)
    assert "canary" not in said


def test_a_plain_password_is_refused_with_the_line_that_makes_a_hash() -> None:
    (finding,) = load("root: {password: hunter2}\n").findings
    assert finding.code == "S001"
    assert "domu passwd" in finding.hint


def test_hashes_are_never_seen() -> None:
    profile = changed({**FULL, "root": {"password": HASH}}, ["users", 0, "password"], {"hash": HASH})
    loaded = load(profile)
    (guest,) = loaded.guests
    assert guest.root.password is not None
    assert guest.root.password.hash is not None
    assert guest.root.password.hash.reveal() == HASH
    for seen in (
        repr(loaded),
        str(guest),
        profile_text(guest),
        profile_text(guest, loaded.origins["web1"]),
        json.dumps(profile_data(guest)),
        json.dumps(why_data(guest, loaded.origins["web1"])),
        guest.model_dump_json(),
    ):
        assert "canary" not in seen
    broken = load({**profile, "vcpus": "x", "memory": HASH[:3]})
    assert "canary" not in "\n".join(map(str, broken.findings))
