"""The stand-ins of the sample's guests, held against all that `domu check` proves: an installer would ask nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from builder.findings import Severity
from builder.host.site import Site, load
from builder.plan.drill import BRIDGE, stand_ins, with_stand_ins
from builder.workflows.check import Checked, check
from tests.guests import ROOT


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "profiles", folder / "profiles", ignore=shutil.ignore_patterns("media.lock"))
    shared = folder / "profiles/site.yaml"
    shared.write_text(shared.read_text().replace("mirror: auto", "mirror: http://mirror.example.org/debian"))
    site = Site(folder)
    loaded = load(site)
    made, found = stand_ins(loaded.guests, loaded.dom0.drill, loaded.guests)
    assert found == ()
    seen = replace(site, view=lambda one: with_stand_ins(one, made))
    return check(seen, [one.guest.name for one in made])


def test_there_is_nothing_against_them(checked: Checked) -> None:
    assert len(checked.artefacts) == 4
    errors = [str(finding) for finding in checked.findings if finding.severity is Severity.ERROR]
    assert errors == []


def test_what_they_are_built_of_is_theirs(checked: Checked) -> None:
    for artefacts in checked.artefacts:
        name = artefacts.guest.name
        assert name.endswith("-drill")
        assert f"d-i netcfg/hostname string {artefacts.guest.fqdn}" in artefacts.preseed.text
        assert f'name = "{name}"' in artefacts.install_config
        assert f"bridge={BRIDGE}" in artefacts.run_config
        assert f"/{name}-disk" in artefacts.run_config
        assert "http://10.254.0.1:3142" in artefacts.preseed.text


def test_their_network_needs_no_answer(checked: Checked) -> None:
    for artefacts in checked.artefacts:
        lines = artefacts.preseed.text.splitlines()
        assert "d-i netcfg/get_gateway string none" in lines
        assert [line.strip() for line in lines if "get_nameservers" in line] == ["d-i netcfg/get_nameservers string"]
        assert "d-i clock-setup/ntp boolean false" in lines
