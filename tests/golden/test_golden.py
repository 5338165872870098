"""The sample guests' artefacts, word for word. `pytest --regenerate` rewrites them: reading the diff is the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.profile.model import Guest
from builder.workflows.render import masked, render_guest, scripts_text
from tests.guests import MIRROR, sample_guests, stock_templates

CASES = Path(__file__).parent / "cases"
GUESTS = {one.name: one for one in sample_guests()}


def files_of(one: Guest) -> dict[str, str]:
    done = render_guest(one, templates=stock_templates(), secrets=masked(one), mirror=MIRROR)
    return {
        "preseed.cfg": done.preseed.text,
        "scripts": scripts_text(done.preseed),
        f"{one.name}.install.cfg": done.install_config,
        f"{one.name}.cfg": done.run_config,
    }


@pytest.mark.parametrize("name", GUESTS)
def test_artefacts_are_as_they_were(name: str, request: pytest.FixtureRequest) -> None:
    made = files_of(GUESTS[name])
    folder = CASES / name
    if request.config.getoption("--regenerate"):
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        for file_name, text in made.items():
            (folder / file_name).write_text(text)
    kept = {file.name: file.read_text() for file in sorted(folder.iterdir())} if folder.is_dir() else {}
    assert made == kept, "if the change is meant: pytest --regenerate, and read the diff"


def test_no_case_is_left_of_a_guest_that_is_gone() -> None:
    assert {folder.name for folder in CASES.iterdir()} == set(GUESTS)
