"""domu in a real dom0, as a user has it: installed from wheels, with a site of its own, asked by the doctor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.dom0 import Lab
from tests.lab.keeper import Standing
from tests.lab.transcript import Transcript

pytestmark = pytest.mark.lab
SITE = "/root/site"


@pytest.fixture(scope="module")
def site(lab: Lab, domu: str) -> str:
    """The sample site, laid by domu itself in dom0."""
    lab.run(f"rm -rf {SITE} && domu init {SITE}", limit=600)
    return SITE


def test_the_doctor_knows_a_dom0(lab: Lab, site: str, standing: Standing) -> None:
    with Transcript(lab, standing.folder / "doctor.txt") as transcript:
        transcript.run("domu --version")
        transcript.run(f"domu --site {site} doctor")
        transcript.run(f"domu --site {site} doctor --fix --dry-run")
    checks = doctor(lab, site)
    assert checks["D101"] == checks["D103"] == checks["D110"] == "ok"
    assert "wrong" not in {checks["D104"], checks["D106"], checks["D111"]}


def doctor(lab: Lab, site: str) -> dict[str, Any]:
    """Verdicts by code."""
    told = json.loads(lab.ask(f"domu --site {site} doctor --json", limit=600).out)
    return {check["code"]: check["verdict"] for check in told["checks"]}
