"""A resolved profile as text: YAML that loads again as the same guest, with the place of each value beside it."""

from __future__ import annotations

import pytest
import yaml

from builder.profile.load import load_site
from builder.profile.show import derived_data, profile_data, profile_text, why_data
from tests.profiles import FULL, HASH, SITE, changed, load, source


def test_what_is_shown_loads_again_as_the_same_guest() -> None:
    profile = changed(FULL, ["users", 2, "password"], {"env": "ROBIN"})
    (guest,) = load(profile).guests
    text = profile_text(guest)
    again = load_site([source("web1", text)])
    assert again.guests == (guest,)
    assert profile_text(again.guests[0]) == text
    assert yaml.safe_load(text) == profile_data(guest)


@pytest.mark.parametrize(
    "value",
    ["no", "Null", "y", "- a", "a: b", "a #b", "#a", "{a}", "*a", "!a", "%a", "@a", "1.5", "010", "12:30", "é", '"', "'", "=", "<<"],
)  # fmt: skip
def test_text_that_yaml_would_misread_is_quoted(value: str) -> None:
    (guest,) = load({"description": value}).guests
    text = profile_text(guest)
    assert yaml.safe_load(text)["description"] == value
    assert load_site([source("web1", text)]).guests == (guest,)


def test_why_names_the_place_of_every_value() -> None:
    loaded = load("late_commands:\n  - 'true'\nroot:\n  password: " + HASH + "\n")
    (guest,) = loaded.guests
    lines = profile_text(guest, loaded.origins["web1"]).splitlines()
    why = why_data(guest, loaded.origins["web1"])
    assert [line.split("#")[1].strip() for line in lines if "#" in line] == list(why.values())
    assert why["late_commands[0].run"] == "profiles/web1.yaml:2:5"
    assert why["late_commands[0].where"] == "default"
    assert why["root.password.hash"] == "profiles/web1.yaml:4:13"
    assert why["suite"] == "profiles/site.yaml:1:11"
    assert why["disk.size"] == "default"
    assert yaml.safe_load("\n".join(lines)) == profile_data(guest)


def test_what_is_derived() -> None:
    (guest,) = load({"volumes": [{"name": "data", "size": "1G"}], "domain": "example.org"}, site=SITE).guests
    assert derived_data(guest) == {
        "fqdn": "web1.example.org",
        "macs": ["00:16:3e:ee:1d:7e"],
        "uuid": "2d15f35a-7bad-5461-b0cf-b6477899cd61",
        "memory_for_install": "1G",
        "volumes": ["vg0/web1-disk", "vg0/web1-data"],
    }
