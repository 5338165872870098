"""The sample guests' artefacts and dom0's, word for word. `pytest --regenerate` rewrites them: read the diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.host.site import Site, load
from builder.profile.model import Guest
from builder.report.network import plan_text
from builder.workflows.render import masked, render_guest, scripts_text
from builder.xen.network.iptables import render_iptables
from builder.xen.network.plan import plan_network
from tests.guests import MIRROR, ROOT, stock_templates
from tests.networks import DOM0, plan

CASES = Path(__file__).parent / "cases"
SAMPLE = load(Site(ROOT))
GUESTS = {one.name: one for one in SAMPLE.guests}


def files_of_guest(one: Guest) -> dict[str, str]:
    done = render_guest(one, templates=stock_templates(), secrets=masked(one), mirror=MIRROR, dom0=SAMPLE.dom0)
    return {
        "preseed.cfg": done.preseed.text,
        "scripts": scripts_text(done.preseed),
        "vifs.json": done.network,
        f"{one.name}.install.cfg": done.install_config,
        f"{one.name}.cfg": done.run_config,
    }


def files_of_dom0() -> dict[str, str]:
    """The sample's plan, and one with every mode for each manager of interfaces."""
    by_manager = {manager: plan({**DOM0, "network_manager": manager}) for manager in ("ifupdown", "networkd")}
    mixed = by_manager["ifupdown"]
    return {
        "sample.txt": plan_text(plan_network(SAMPLE.dom0, SAMPLE.guests)),
        **{f"{manager}.txt": plan_text(one) for manager, one in by_manager.items()},
        "iptables.sh": render_iptables(mixed.dom0, mixed.vifs),
    }


@pytest.mark.parametrize("name", [*GUESTS, "dom0"])
def test_artefacts_are_as_they_were(name: str, request: pytest.FixtureRequest) -> None:
    made = files_of_guest(GUESTS[name]) if name in GUESTS else files_of_dom0()
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
    assert {folder.name for folder in CASES.iterdir()} == {*GUESTS, "dom0"}
