"""What no field says alone: each rule with a profile that breaks it, and where the finding stands."""

from __future__ import annotations

from typing import Any

import pytest

from builder.profile.rules import BOOTLOADERS, place_of
from tests.profiles import FULL, KEY, SITE, load

NIC = "nics:\n  - bridge: xenbr0\n    ipv4:\n      address: 192.0.2.10/24\n      gateway: 192.0.2.1\n"
PARTITION = "disk:\n  partitions:\n    - mount: /\n      minimum: 2G\n"


@pytest.mark.parametrize(
    ("guest", "expected"),
    [
        ("arch: arm64\ntype: pv\n", "P101 2:7"),
        ("arch: arm64\ntype: hvm\n", "P101 2:7"),
        ("ssh_keys: []\n", "P102 1:1"),
        ("users:\n  - name: alex\n  - name: alex\n", "P103 3:11"),
        ("users:\n  - name: admin\n", "P103 2:11"),
        ("media: iso\n", "P104 1:8"),
        ("iso: a.iso\n", "P104 1:6"),
        ("install_memory: 512M\n", "P105 1:17"),
        ("type: pvh\nbootloader: pvgrub\n", "P106 2:13"),
        (NIC.replace("192.0.2.10", "192.0.2.0") + "dns: [192.0.2.1]\n", "P107 4:16"),
        (NIC.replace("192.0.2.10", "192.0.2.255") + "dns: [192.0.2.1]\n", "P107 4:16"),
        (NIC.replace("192.0.2.10", "224.0.0.1").replace("192.0.2.1\n", "224.0.0.2\n") + "dns: [192.0.2.1]\n", "P107 4:16"),
        (NIC.replace("192.0.2.1\n", "198.51.100.1\n") + "dns: [192.0.2.1]\n", "P108 5:16"),
        (NIC.replace("192.0.2.1\n", "192.0.2.10\n") + "dns: [192.0.2.1]\n", "P108 5:16"),
        ("nics:\n  - mode: routed\n    ipv4: {address: 203.0.113.7/32}\ndns: [192.0.2.1]\n", "P108 3:21,P109 3:11"),
        (NIC.replace("      gateway: 192.0.2.1\n", "") + "dns: [192.0.2.1]\n", "P109 4:7"),
        (NIC + "  - bridge: b\n    ipv4: {address: 198.51.100.2/24, gateway: 198.51.100.1}\ndns: [192.0.2.1]\n", "P109 7:47"),
        ("nics:\n  - bridge: b\n    ipv4: none\n    ipv6: none\n", "P109 2:5"),
        (NIC, "P110 4:7"),
        ("volumes:\n  - {name: a, size: 1G}\n  - {name: a, size: 1G}\n", "P111 3:12,P204 2:12,P204 3:12"),
        ("volumes:\n  - {name: a, size: 1G, mount: /}\n", "P111 2:32"),
        ("volumes:\n  - {name: a, size: 1G, mount: /srv}\n  - {name: b, size: 1G, mount: /srv}\n", "P111 3:32"),
        ("disk: {volume: snapshot1}\n", "P112 1:16"),
        ("disk: {volume: pvmove0}\n", "P112 1:16"),
        ("volumes:\n  - {name: a_mlog, size: 1G}\n", "P112 2:12"),
        (f"disk: {{volume: {'a-' * 49}a}}\n", "P112 1:16"),
        (PARTITION + "      maximum: 1G\n", "P113 5:16"),
        (PARTITION + "      priority: 1G\n", "P113 5:17"),
        (PARTITION + "      priority: 4G\n      maximum: 3G\n", "P113 5:17"),
        (PARTITION + "      maximum: 100%\n", "P113 5:16"),
        (PARTITION + "      name: root\n", "P114 5:13"),
        (PARTITION + "    - {mount: /a, minimum: 1G, name: r}\n    - {mount: /b, minimum: 1G, name: r}\n  method: lvm\n", "P114 6:38"),
        (
            PARTITION + "      primary: true\n" + "".join(f"    - {{mount: /{n}, minimum: 1G, primary: true}}\n" for n in "abcd"),
            "P114 3:5",
        ),
        ("initrd_files:\n  - {source: profiles/a, path: /preseed.cfg}\n", "P115 2:32"),
        ("initrd_files:\n  - {source: a, path: /x}\n  - {source: a, path: /x}\n", "P115 3:23"),
        ("debconf:\n  - {question: a/b}\n  - {question: a/b}\n", "P116 3:16"),
        ("max_memory: 512M\n", "P117 1:13"),
        ("vcpus: 4\nmax_vcpus: 2\n", "P117 2:12"),
        ("vcpus: 2\ncpu_cap: 201\n", "P117 2:10"),
        ("type: pvh\nvnc: {}\n", "P118 2:6"),
        ("type: hvm\nvnc: {listen: 192.0.2.1}\n", "P118 2:15"),
        ("start_after: [web2]\n", "P119 1:14,P206 1:15"),
        ("autostart: true\nstart_after: [web2]\n", "P206 2:15"),
        ("autostart: true\nstart_after: [web1]\n", "P206 2:15"),
    ],
)  # fmt: skip
def test_each_rule_finds_what_it_is_for(guest: str, expected: str) -> None:
    loaded = load(guest)
    found = [f"{one.code} {one.place.line}:{one.place.column}" for one in loaded.findings]
    assert sorted(found) == sorted(expected.split(",")), [str(one) for one in loaded.findings]
    assert {one.place.file for one in loaded.findings} == {"profiles/web1.yaml"}
    assert {one.guest for one in loaded.findings} == {"web1"}


@pytest.mark.parametrize(
    "guest",
    [
        pytest.param("arch: arm64\ntype: pvh\n", id="arm64"),
        pytest.param("ssh_keys: []\nroot: {password: {env: A}}\n", id="only-a-password"),
        pytest.param(NIC + "dns: [192.0.2.1]\n", id="static"),
        pytest.param(
            "nics:\n  - mode: routed\n    ipv4: {address: 203.0.113.7/32, gateway: 192.0.2.1}\ndns: [192.0.2.1]\n",
            id="gateway-outside-a-32",
        ),
        pytest.param(
            "nics:\n  - {bridge: b, ipv6: {address: '2001:db8::2/64', gateway: 'fe80::1'}}\n", id="link-local"
        ),
        pytest.param("nics:\n  - {bridge: b, ipv6: {address: '2001:db8::ffff:ffff:ffff:ffff/64'}}\n", id="last-ipv6"),
        pytest.param(NIC.replace("10/24", "0/31") + "dns: [192.0.2.1]\n", id="point-to-point"),
        pytest.param(PARTITION + "      priority: 400%\n      maximum: 800%\n", id="percentages-of-memory"),
        pytest.param("max_memory: 1G\nvcpus: 2\nmax_vcpus: 2\ncpu_cap: 200\n", id="limits-just-reached"),
        pytest.param("vcpus: 2\nmax_vcpus: 4\ncpu_cap: 400\n", id="capped-by-what-it-may-get"),
        pytest.param("type: hvm\nvnc: {listen: 127.0.0.2, display: 0}\n", id="screen-on-loopback"),
        *(
            pytest.param(f"type: {kind}\nbootloader: {loader}\n", id=f"{kind}-{loader}")
            for kind, loaders in BOOTLOADERS.items()
            for loader in loaders
        ),
    ],
)
def test_what_is_right_is_not_complained_of(guest: str) -> None:
    assert [str(one) for one in load(guest).findings] == []


@pytest.mark.parametrize(
    ("code", "one", "other", "line"),
    [
        ("P202", "nics:\n  - bridge: b\n    mac: 00:16:3e:00:00:01\n", "nics:\n  - bridge: b\n    mac: 00:16:3E:00:00:01\n", 3),
        ("P203", NIC + "dns: [192.0.2.1]\n", NIC.replace("/24", "/25") + "dns: [192.0.2.1]\n", 4),
        (
            "P203",
            "nics:\n  - bridge: b\n    ipv6: {address: 2001:db8::2/64}\n",
            "nics:\n  - bridge: b\n    ipv6: {address: 2001:DB8:0::2/64}\n",
            3,
        ),
        ("P204", "disk:\n  volume: shared\n", "disk:\n  volume: shared\n", 2),
        ("P204", "disk:\n  volume: web2-data\n", "volumes:\n  - {name: data, size: 1G}\n", 2),
    ],
)  # fmt: skip
def test_two_guests_cannot_both_have_it(code: str, one: str, other: str, line: int) -> None:
    loaded = load(one, web2=other)
    assert [(finding.code, finding.guest, finding.place.line) for finding in loaded.findings] == [
        (code, "web1", line),
        (code, "web2", line),
    ]
    assert "web2 (profiles/web2.yaml" in loaded.findings[0].message
    assert loaded.guests == ()


def test_a_derived_mac_clashes_with_a_given_one() -> None:
    (web1,) = load().guests
    loaded = load(web2=f"nics:\n  - bridge: b\n    mac: {web1.macs[0]}\n")
    assert [finding.code for finding in loaded.findings] == ["P202", "P202"]


def test_macs_are_stable_and_in_xens_range() -> None:
    (web1,) = load({"nics": [{"bridge": "a"}, {"bridge": "b"}]}).guests
    assert web1.macs == ("00:16:3e:ee:1d:7e", "00:16:3e:96:1c:dd")


def test_what_clashes_through_a_layer_is_placed_in_the_layer() -> None:
    shared: dict[str, Any] = {**SITE, "disk": {"volume": "shared"}}
    loaded = load(site=shared, web2="{}\n")
    assert {finding.place.file for finding in loaded.findings} == {"profiles/site.yaml"}
    assert {finding.guest for finding in loaded.findings} == {"web1", "web2"}


def test_places_fall_back_to_what_is_around() -> None:
    loaded = load({**FULL, "ssh_keys": [KEY]})
    origins = loaded.origins["web1"]
    assert place_of(origins, "nics[0].ipv4.nothing") == origins["nics[0].ipv4"]
    assert place_of(origins, "nics[7].mac") == origins["nics"]
    assert place_of(origins, "nothing") == origins[""]
    assert str(place_of({}, "nics[0]")) == ""


@pytest.mark.parametrize(
    ("web1", "web2", "web3", "expected"),
    [
        pytest.param("[web2]", "[web3]", "[]", [], id="a-chain"),
        pytest.param("[web2, web3]", "[web3]", "[]", [], id="a-triangle"),
        pytest.param("[web2]", "[web1]", "[]", ["web1", "web2"], id="a-circle-of-two"),
        pytest.param("[web2]", "[web3]", "[web1]", ["web1", "web2", "web3"], id="a-circle-of-three"),
        pytest.param("[web2]", "[web2]", "[]", ["web2"], id="one-that-waits-for-itself"),
    ],
)
def test_a_circle_of_guests_that_start_after_one_another(web1: str, web2: str, web3: str, expected: list[str]) -> None:
    texts = [f"autostart: true\nstart_after: {after}\n" for after in (web1, web2, web3)]
    loaded = load(texts[0], web2=texts[1], web3=texts[2])
    assert [finding.guest for finding in loaded.findings if finding.code == "P206"] == expected
    assert {guest.name for guest in loaded.guests} == {"web1", "web2", "web3"} - set(expected)


def test_a_guest_that_waits_for_one_that_is_not_started_is_told() -> None:
    loaded = load("autostart: true\nstart_after: [web2]\n", web2="{}\n")
    assert [(one.code, one.severity.word) for one in loaded.findings] == [("P206", "warning")]
    assert "not started with dom0" in loaded.findings[0].message


def test_a_uuid_is_stable_and_of_version_5() -> None:
    (web1,) = load().guests
    assert web1.domain_uuid == "2d15f35a-7bad-5461-b0cf-b6477899cd61"
    (given,) = load("uuid: 0F1E2D3C-4B5A-4697-8812-3D4E5F60718A\n").guests
    assert given.domain_uuid == "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a"


def test_no_guest_has_the_folder_of_the_networks_journal() -> None:
    assert [one.code for one in load("name: network\n").findings] == ["P121"]
    assert not load("name: network\ndom0_path: /srv/guests\n").findings
