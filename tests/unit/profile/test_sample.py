"""The sample site: sound, valid by its own schema, and web1.yaml explains every field, with examples that load."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from builder.profile.explain import MODELS
from builder.profile.load import SourceText, load_site
from builder.profile.schema import profile_schema, schema_text
from tests.profiles import FULL

PROFILES = Path(__file__).parents[3] / "profiles"
FILES = sorted(PROFILES.glob("*.yaml"))
GUEST_FILES = [path for path in FILES if path.stem != "dom0"]  # dom0.yaml has a schema and a test of its own
WEB1 = (PROFILES / "web1.yaml").read_text()
# `#field: value` or, going on, `#  value`; what begins with `#` and one blank explains.
COMMENTED = re.compile(r"( *)#(?! \S)(.+)")


def sources(**replaced: str) -> list[SourceText]:
    return [
        SourceText(f"profiles/{path.name}", path.stem, replaced.get(path.stem, path.read_text()).encode())
        for path in FILES
    ]


def test_the_sample_site_loads_without_a_finding() -> None:
    loaded = load_site(sources())
    assert [str(finding) for finding in loaded.findings] == []
    assert [guest.name for guest in loaded.guests] == ["db1", "edge1", "pvh1", "web1"]


@pytest.mark.parametrize("path", sorted(MODELS), ids=lambda path: ".".join(path) or "guest")
def test_web1_explains_every_field(path: tuple[str, ...]) -> None:
    named = set(re.findall(r"^ *#? *(?:- )?([a-z0-9_]+)\+?:", WEB1, re.MULTILINE))
    assert set(MODELS[path].model_fields) - named == set()


# Alternatives to what web1 has: it says so beside them.
EXPECTED = {
    "recipe: atomic": ["P032"],
    "name: root": ["P114"],
    "vnc:": ["P118"],
    "thin: true": ["P120"],
    "volumes:": ["P120"],
}


def examples() -> Iterator[tuple[str, str]]:
    """web1.yaml with one commented-out block of lines uncommented, for each such block."""
    lines = WEB1.splitlines()
    number = 0
    while number < len(lines):
        start = number
        while number < len(lines) and COMMENTED.fullmatch(lines[number]):
            number += 1
        if number > start:
            opened = [COMMENTED.sub(r"\1\2", line) for line in lines[start:number]]
            yield opened[0].strip(), "\n".join([*lines[:start], *opened, *lines[number:]]) + "\n"
        number += 1


@pytest.mark.parametrize(("first", "text"), [pytest.param(*example, id=example[0]) for example in examples()])
def test_every_commented_example_in_web1_can_be_used(first: str, text: str) -> None:
    loaded = load_site(sources(web1=text))
    assert [finding.code for finding in loaded.findings_for("web1")] == EXPECTED.get(first, [])
    jsonschema.validate(yaml.safe_load(text), profile_schema())


def test_there_are_examples() -> None:
    assert len(list(examples())) > 25


def test_the_schema_in_the_sample_is_current() -> None:
    assert (PROFILES / "schema.json").read_text() == schema_text(), "write it anew: domu schema > profiles/schema.json"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(profile_schema())


@pytest.mark.parametrize("path", GUEST_FILES, ids=lambda path: path.stem)
def test_the_schema_takes_the_sample_files_and_editors_find_it(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), profile_schema())
    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def test_the_schema_takes_what_the_model_takes() -> None:
    jsonschema.validate(json.loads(json.dumps(FULL)), profile_schema())


@pytest.mark.parametrize(
    "text",
    [
        "memroy: 1G",
        "memory: 1024",
        "suite: sid",
        "packages: vim",
        "packages+: vim",
        "disk: {label: gtp}",
        "disk: {partitions+: [{mount: /}]}",
        "root: {password: hunter2}",
        "users: [{full_name: Nobody}]",
        "nics: [{ipv4: dchp}]",
        "vcpus: 0",
        "extends: {a: b}",
        "iso:",
    ],
)
def test_the_schema_refuses_what_the_model_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), profile_schema())


def test_every_field_is_described() -> None:
    for path, model in MODELS.items():
        for name, field in model.model_fields.items():
            assert field.description, f"{'.'.join((*path, name))} has no description"


def test_the_sample_names_no_real_host() -> None:
    for path in [*FILES, PROFILES / "schema.json"]:
        hosts = set(re.findall(r"[a-z0-9-]+\.(?:com|net|org|io|de)\b", path.read_text()))
        assert hosts <= {"example.org", "json-schema.org", "openssh.com"}, path
