"""dom0.yaml: every field explained in the sample, hostile values refused, and what guests take from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from builder.findings import Severity
from builder.profile.dom0 import NO_DOM0, Dom0
from builder.profile.explain import DOM0_MODELS
from builder.profile.load import load_site
from builder.profile.nics import Static4, Static6
from builder.profile.schema import dom0_schema, dom0_schema_text
from tests.networks import DOM0, FULL_DOM0, site
from tests.profiles import SITE, as_yaml, changed, codes, load, source
from tests.unit.profile.test_hostile import HOSTILE, fields

PROFILES = Path(__file__).parents[3] / "profiles"
SAMPLE = (PROFILES / "dom0.yaml").read_text()
COMMENTED = re.compile(r"( *)#(?! \S)(.+)")


def read(text: str | dict[str, Any]) -> Any:
    return load_site([source("dom0", as_yaml(text)), source("web1", as_yaml(dict(SITE)))])


def test_without_the_file_nothing_is_known() -> None:
    assert load().dom0 == NO_DOM0
    assert load().dom0.networks == ()


def test_dom0_is_no_guest_and_no_layer() -> None:
    loaded = load({"extends": "dom0"}, dom0=DOM0)
    assert "dom0" not in loaded.names
    assert codes(loaded) == ["P020"]


def test_every_value_arrives() -> None:
    loaded = read(FULL_DOM0)
    assert codes(loaded) == []
    assert loaded.dom0 == Dom0.model_validate(FULL_DOM0)


def test_full_has_every_field() -> None:
    present = {tuple(part for part in path if isinstance(part, str)) for path in fields(FULL_DOM0)}
    present |= {path[:1] for path in present}
    assert {(*path, name) for path, model in DOM0_MODELS.items() for name in model.model_fields} - present == set()


@pytest.mark.parametrize("path", sorted(DOM0_MODELS), ids=lambda path: ".".join(path) or "dom0")
def test_the_sample_explains_every_field(path: tuple[str, ...]) -> None:
    named = set(re.findall(r"^ *#? *(?:- )?([a-z0-9_]+):", SAMPLE, re.MULTILINE))
    assert set(DOM0_MODELS[path].model_fields) - named == set()


def examples() -> Iterator[str]:
    """The sample with one commented line uncommented, for each."""
    lines = SAMPLE.splitlines()
    for number, line in enumerate(lines):
        if COMMENTED.fullmatch(line):
            yield "\n".join([*lines[:number], COMMENTED.sub(r"\1\2", line), *lines[number + 1 :]]) + "\n"


@pytest.mark.parametrize("text", [*examples()])
def test_every_commented_example_in_the_sample_can_be_used(text: str) -> None:
    assert [str(finding) for finding in read(text).findings] == []
    jsonschema.validate(yaml.safe_load(text), dom0_schema())


def test_the_schema_is_current_and_takes_what_the_model_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(dom0_schema())
    assert (PROFILES / "dom0.schema.json").read_text() == dom0_schema_text(), "write it anew: make schema"
    jsonschema.validate(json.loads(json.dumps(FULL_DOM0)), dom0_schema())
    jsonschema.validate(yaml.safe_load(SAMPLE), dom0_schema())
    assert SAMPLE.startswith("# yaml-language-server: $schema=dom0.schema.json\n")


def test_every_field_is_described() -> None:
    for path, model in DOM0_MODELS.items():
        assert [name for name, field in model.model_fields.items() if not field.description] == [], path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_values_are_refused_at_their_line(name: str) -> None:
    for path in fields(FULL_DOM0):
        loaded = read(changed(FULL_DOM0, path, HOSTILE[name]))
        errors = [finding for finding in loaded.findings if finding.severity is Severity.ERROR]
        assert errors, path
        assert loaded.guests == ()
        assert all(finding.place.line and finding.place.file == "profiles/dom0.yaml" for finding in errors), path
        assert all((finding.message + finding.hint).isprintable() for finding in errors), path
        assert loaded.dom0 == NO_DOM0


@pytest.mark.parametrize("value", [None, [], {}, [[]], {"a": "b"}, -1, 10**17, True], ids=repr)
def test_values_of_another_shape_are_refused(value: Any) -> None:
    for path in fields(FULL_DOM0):
        sound: Any = FULL_DOM0
        for part in path:
            sound = sound[part]
        if type(value) is not type(sound):
            loaded = read(changed(FULL_DOM0, path, value))
            assert loaded.guests == (), path


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"name": "n", "mode": "nat"}, "needs addresses"),
        ({"name": "n", "mode": "nat", "addresses": ["10.0.0.1/24"], "ports": ["eth0"]}, "has no ports"),
        ({"name": "n", "mode": "routed", "addresses": ["10.0.0.1/24"]}, "no addresses of its own"),
        ({"name": "n", "mode": "routed", "kind": "openvswitch"}, "has no kind"),
        ({"name": "n", "public": ["203.0.113.1"]}, "has no public"),
        ({"name": "n", "outer": "eth1"}, "has no outer"),
        ({"name": "n", "existing": True, "addresses": ["10.0.0.1/24"]}, "changes nothing"),
        ({"name": "n", "ports": ["e"], "vlan": 1, "vlan_aware": True}, "keep one"),
        ({"name": "n", "vlan": 1}, "needs ports"),
        ({"name": "n", "ports": ["e"], "vlan": 4095}, "4094"),
        ({"name": "x" * 16}, "at most 15"),
        ({"name": "n", "mode": "bridged"}, "not one of bridge, routed, nat"),
        ({"name": "n", "adresses": []}, "unknown key 'adresses'"),
        ({"mode": "bridge"}, "name is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_networks_that_cannot_be(network: dict[str, Any], said: str) -> None:
    found = read({"networks": [network]}).findings
    assert said in " ".join(finding.message + finding.hint for finding in found)


def gateways(nics: list[dict[str, Any]], dom0: dict[str, Any] = DOM0) -> list[tuple[str | None, str | None]]:
    """Of each NIC, IPv4 and IPv6, after loading."""
    loaded = site(dom0, {"a": nics})
    guest = (*loaded.guests, *(one for one in loaded.unsound.values() if one))[0]
    found = []
    for nic in guest.nics:
        own = [setting.gateway if isinstance(setting, Static4 | Static6) else None for setting in (nic.ipv4, nic.ipv6)]
        found.append((str(own[0]) if own[0] else None, str(own[1]) if own[1] else None))
    return found


NAT: dict[str, Any] = {"mode": "nat", "bridge": "natbr0", "ipv4": {"address": "10.0.0.5/24"}, "ipv6": "none"}
NAT6: dict[str, Any] = {**NAT, "ipv6": {"address": "fd00::5/64"}}
ROUTED: dict[str, Any] = {"mode": "routed", "ipv4": {"address": "203.0.113.1/32"}, "ipv6": "none"}
BRIDGED: dict[str, Any] = {"bridge": "xenbr0", "ipv4": {"address": "192.0.2.9/24"}, "ipv6": "none"}
GIVEN: dict[str, Any] = {**BRIDGED, "ipv4": {"address": "192.0.2.9/24", "gateway": "192.0.2.1"}}


@pytest.mark.parametrize(
    ("nics", "expected"),
    [
        pytest.param([NAT], [("10.0.0.1", None)], id="NAT: dom0's own address there"),
        pytest.param([NAT6], [("10.0.0.1", "fd00::1")], id="NAT with IPv6"),
        pytest.param([ROUTED], [("192.0.2.2", None)], id="routed: dom0's own address outside"),
        pytest.param(
            [{**ROUTED, "ipv6": {"address": "2001:db8:7::1/128"}}], [("192.0.2.2", "fe80::1")], id="routed with IPv6"
        ),
        pytest.param([BRIDGED], [(None, None)], id="bridged: nothing is known"),
        pytest.param([GIVEN, NAT], [("192.0.2.1", None), (None, None)], id="another NIC gives one"),
        pytest.param([{"bridge": "xenbr0"}, NAT6], [(None, None), (None, None)], id="another NIC may get one"),
        pytest.param([BRIDGED, NAT, ROUTED], [(None, None), ("10.0.0.1", None), (None, None)], id="one, not two"),
        pytest.param(
            [{**NAT, "ipv4": {"address": "10.0.0.5/24", "gateway": "10.0.0.9"}}], [("10.0.0.9", None)], id="its own"
        ),
        pytest.param([{**NAT, "bridge": "other"}], [(None, None)], id="no such network"),
    ],
)
def test_gateways_come_from_the_network(
    nics: list[dict[str, Any]], expected: list[tuple[str | None, str | None]]
) -> None:
    assert gateways(nics) == expected


def test_the_preseed_has_the_gateway_of_the_network() -> None:
    from tests.guests import answers, rendered

    (guest,) = site(nics={"a": [NAT]}).guests
    done = rendered(guest)
    assert answers(done.text)["netcfg/get_gateway"][2] == "10.0.0.1"
    assert any("gateway 10.0.0.1\n" in text for text in done.files.values())


def test_a_gateway_of_the_network_says_where_it_is_from() -> None:
    origins = site(nics={"a": [NAT]}).origins["a"]
    assert origins["nics[0].ipv4.gateway"].file == "profiles/dom0.yaml"
    assert origins["nics[0].ipv4.address"].file == "profiles/a.yaml"
