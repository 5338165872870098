"""Hostile values in every text of a profile: each is refused by the model, or lies inert in what is made of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from builder.errors import BuilderError
from builder.profile.load import SourceText, load_site
from builder.profile.model import Guest, models_by_path
from builder.workflows.render import Artefacts
from tests.guests import FULL, HOSTILE, Path_, answers, artefacts, changed, fields_set, texts
from tests.installer import Installer, installer

# The fields that are shell code by their nature: it is theirs to run, and theirs alone.
CODE = {"early_commands", "late_commands"}
# The fields that may hold any line of text; in all others every sign of the table below is refused.
FREE = {"description", "full_name", "value", "command", *CODE}
TROUBLE = set("\"'`$;&|<>{}\\*?#\n\r\0\t\x1b")


def field_of(path: Path_) -> str:
    """The name of the field, or of the field that a list is in."""
    return next(str(key) for key in reversed(path) if isinstance(key, str) and key != "run")


def accepted(path: Path_, value: str) -> Guest | None:
    """The guest with this value, None when the model refuses it."""
    try:
        return Guest.model_validate(changed(FULL, path, value))
    except ValidationError:
        return None


ALL_TEXTS = tuple(texts(FULL))
ACCEPTED = {
    (path, kind): one for path in ALL_TEXTS for kind, value in HOSTILE.items() if (one := accepted(path, value))
}
CASES = [pytest.param(path, kind, id=f"{'.'.join(map(str, path))}-{kind}") for path, kind in ACCEPTED]


@cache
def baseline() -> Artefacts:
    return artefacts(Guest.model_validate(FULL))


def made_of(one: Guest) -> Artefacts | None:
    """Its artefacts; None when they are refused, with a reason."""
    try:
        return artefacts(one)
    except BuilderError:
        return None


def test_the_table_reaches_every_field_of_every_model() -> None:
    """A new field without a value in FULL is not covered by these tests: give it one there."""
    reached = set(fields_set(Guest.model_validate(FULL)))
    others: dict[str, Any] = {"disk": {"recipe": "atomic"}, "ready": {"command": ["/usr/local/sbin/is-up"]}}
    reached |= set(fields_set(Guest.model_validate({**FULL, **others})))
    known = {(model, name) for model in models_by_path().values() for name in model.model_fields}
    assert known - reached == set()


def test_most_hostile_values_are_refused_and_some_are_not() -> None:
    assert 50 < len(CASES) < len(ALL_TEXTS) * len(HOSTILE) / 5


@pytest.mark.parametrize("path", ALL_TEXTS, ids=lambda path: ".".join(map(str, path)))
def test_only_free_texts_take_signs_that_mean_something_elsewhere(path: Path_) -> None:
    taken = {value for value in HOSTILE.values() if TROUBLE & set(value) and accepted(path, value)}
    assert not taken or field_of(path) in FREE, taken


@pytest.mark.parametrize("path", ALL_TEXTS, ids=lambda path: ".".join(map(str, path)))
def test_no_text_takes_what_ends_a_line(path: Path_) -> None:
    for kind in ("newline", "carriage return", "NUL", "line separator", "backslash at the end", "escape", "surrogate"):
        assert accepted(path, HOSTILE[kind]) is None, kind


@pytest.mark.parametrize(("path", "kind"), CASES)
def test_a_value_stays_in_its_line_of_the_preseed(path: Path_, kind: str) -> None:
    done = made_of(ACCEPTED[path, kind])
    if done is None:
        return
    before, after = (
        [line.split(None, 3)[:3] for line in made.preseed.text.split("\n") if line and line[0] != "#"]
        for made in (baseline(), done)
    )
    moved = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    if field_of(path) in {"owner", "question", "type"}:  # these are the line's own words
        assert len(moved) <= 1
    elif field_of(path) != "mirror":
        assert moved == []
    if field_of(path) == "value":
        assert answers(done.preseed.text)["locales/default"][2] == HOSTILE[kind]
    for line in done.preseed.text.split("\n"):
        assert not line.endswith("\\")


@pytest.mark.parametrize(("path", "kind"), CASES)
def test_an_xl_config_keeps_its_statements(path: Path_, kind: str) -> None:
    """What the values mean to xl is asked of xl itself in integration/test_xl.py."""
    done = made_of(ACCEPTED[path, kind])
    if done is None:
        return
    if not HOSTILE[kind]:
        return  # an empty text leaves its statement out
    for before, after in (
        (baseline().install_config, done.install_config),
        (baseline().run_config, done.run_config),
    ):
        keys = [line.split(" ")[0] for line in before.split("\n")]
        assert [line.split(" ")[0] for line in after.split("\n")] == keys


def run_steps(one: Guest, folder: Path) -> tuple[Installer, str]:
    done = made_of(one)
    if done is None:
        pytest.skip("refused with a reason when rendered")
    root = installer(folder, done.preseed.files, one)
    (folder / "var/log").mkdir()
    ran = [root.run("/domu/early.sh"), root.run("/domu/late.sh")]
    return root, "".join(one_run.stderr for one_run in ran)


# One run of all steps takes about 0.1 s; what changes no script needs none.
IN_SCRIPTS = [
    pytest.param(path, kind, id=f"{'.'.join(map(str, path))}-{kind}")
    for (path, kind), one in ACCEPTED.items()
    if field_of(path) not in CODE and (done := made_of(one)) and done.preseed.files != baseline().preseed.files
]


@pytest.mark.parametrize(("path", "kind"), IN_SCRIPTS)
def test_no_step_runs_what_a_value_says(path: Path_, kind: str, tmp_path: Path) -> None:
    root, complaints = run_steps(ACCEPTED[path, kind], tmp_path)
    assert complaints == ""
    assert list(tmp_path.rglob("canary")) == []
    if field_of(path) == "full_name" and HOSTILE[kind]:
        assert any(HOSTILE[kind] in call for call in root.calls)


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if accepted(("late_commands", 0), HOSTILE[kind])])
def test_a_broken_command_stops_no_other(kind: str, tmp_path: Path) -> None:
    one = Guest.model_validate({**FULL, "late_commands": [HOSTILE[kind], "echo still here", HOSTILE[kind]]})
    root, _complaints = run_steps(one, tmp_path)
    assert "\nstill here\n" in root.read("target/var/log/domu-late.log")
    assert root.read("target/etc/network/interfaces.d/domu")


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_of_profile_files_are_refused(kind: str) -> None:
    """A guest's name comes from a file name, and ends in paths, xl configs and the preseed."""
    text = b"suite: trixie\nmemory: 1G\nvolume_group: vg0\nnics: [{bridge: xenbr0}]\n"
    stem = HOSTILE[kind]
    loaded = load_site([SourceText(f"profiles/{stem}.yaml", stem, text)])
    taken = [one.name for one in loaded.guests]
    assert taken in ([], ["x"]), taken


def test_hostile_values_in_numbers_and_choices_are_refused() -> None:
    fields: list[tuple[Path_, Any]] = [(("vcpus",), "1; reboot"), (("memory",), "1G; reboot"), (("suite",), "trixie\n")]
    for path, value in fields:
        with pytest.raises(ValidationError):
            Guest.model_validate(changed(FULL, path, value))
