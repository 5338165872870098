"""Loading never raises, whatever stands in a file, and what it resolves loads again as the same guest."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from builder.profile.load import LoadedSite, load_site
from builder.profile.show import profile_text
from tests.profiles import SITE, as_yaml, source

NAMES = st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=40)
SIZES = st.builds(
    lambda number, unit: f"{number}{unit}", st.integers(1, 9999), st.sampled_from(["M", "G", "GB", "MiB"])
)
OCTETS = st.integers(2, 250)
STATIC = st.builds(lambda one: {"address": f"192.0.2.{one}/24", "gateway": "192.0.2.1"}, OCTETS)
MACS = st.just("auto") | st.builds(lambda number: f"00:16:3e:00:00:{number:02x}", st.integers(0, 255))
NICS = st.fixed_dictionaries({"bridge": NAMES}, optional={"mac": MACS, "ipv4": st.just("dhcp") | STATIC})
VOLUMES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "size": SIZES}, optional={"keep": st.booleans()}),
    max_size=3,
    unique_by=lambda volume: volume["name"],
)
GUESTS = st.fixed_dictionaries(
    {},
    optional={
        "description": TEXT,
        "suite": st.sampled_from(["bookworm", "trixie"]),
        "memory": SIZES,
        "vcpus": st.integers(1, 512),
        "nics": st.lists(NICS, min_size=1, max_size=2),
        "volumes": VOLUMES,
        "packages+": st.lists(NAMES, max_size=3),
        "keyboard": st.sampled_from(["us", "no", "de", "fr(latin9)"]),
        "late_commands": st.lists(TEXT | st.builds(dict, run=TEXT, where=st.just("target")), max_size=2),
        "disk": st.fixed_dictionaries({}, optional={"size": SIZES, "label": st.sampled_from(["gpt", "msdos"])}),
    },
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*SITE, "disk", "users", "root", "x"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def loaded(text: str | bytes) -> LoadedSite:
    return load_site([source("site", as_yaml(SITE)), source("web1", text)])


@given(GUESTS)
def test_what_is_resolved_loads_again_as_the_same_guest(profile: dict[str, Any]) -> None:
    site = loaded(as_yaml(profile))
    for guest in site.guests:
        text = profile_text(guest)
        again = load_site([source("web1", text)])
        assert again.guests == (guest,), text
        assert profile_text(guest, site.origins["web1"])


@given(st.binary(max_size=200))
@example(b"a: !<tag:yaml.org,2002:python/name:os.system> x")
@example(b'"\\ud800": "\\udfff"')
@example(b"? - : ? -\n")
@example(b"%YAML 9.9\n--- a\n")
@example(b"{*a: b, &a c: d}")
def test_bytes_of_any_kind_end_in_findings(data: bytes) -> None:
    site = loaded(data)
    assert site.findings
    assert not site.guests or b":" in data


@given(st.text(st.sampled_from("a:b-[]{},#&*!|>'\"%@`?<~ \n\t01.e"), max_size=80))
def test_text_of_yamls_own_signs_ends_in_findings(text: str) -> None:
    loaded(text)


@given(PLAIN)
def test_yaml_of_any_shape_ends_in_findings(value: Any) -> None:
    site = loaded(yaml.safe_dump(value, allow_unicode=True))
    for finding in site.findings:
        assert str(finding).replace("\n", "").isprintable()


@given(
    PLAIN,
    st.sampled_from(["packages", "nics", "disk", "users", "root", "volumes", "debconf", "extends", "layer", "name"]),
)
def test_any_value_in_any_field_ends_in_findings(value: Any, field: str) -> None:
    loaded(yaml.safe_dump({field: value}, allow_unicode=True))
    load_site(
        [source("site", yaml.safe_dump({**SITE, field: value}, allow_unicode=True)), source("web1", "vcpus: 1\n")]
    )
