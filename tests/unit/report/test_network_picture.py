"""The picture of a network: XML that a parser takes, nothing over anything else, and text that says the same."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from builder.cli import app
from builder.host.site import Site, load
from builder.profile.dom0 import Dom0
from builder.report.network_picture import groups_of, picture_svg, picture_text
from builder.workflows.network import plan as make_plan
from builder.xen.network.plan import NetworkPlan, plan_network
from tests.netsite import DOM0, GUESTS, lay_site


def parsed(plan: NetworkPlan) -> ET.Element:
    """The picture, read by a parser; it is our own."""
    return ET.fromstring(picture_svg(plan))  # noqa: S314


SVG = "{http://www.w3.org/2000/svg}"
MANY = {
    f"guest{number:03}": f"nics: [{{mode: bridge, bridge: xenbr0, ipv4: {{address: 192.0.2.{number + 30}/24}}, ipv6: none}}]\n"
    for number in range(100)
}


def planned(folder: Path, guests: dict[str, str], dom0: str = DOM0) -> NetworkPlan:
    return make_plan(Site(lay_site(folder, dom0, guests))).plan


@pytest.fixture(params=["eight guests of all kinds", "a hundred guests", "no guest"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> NetworkPlan:
    return planned(tmp_path, {"eight guests of all kinds": GUESTS, "a hundred guests": MANY}.get(request.param, {}))


def test_every_vif_is_in_it_once_with_all_that_dom0_knows(plan: NetworkPlan) -> None:
    texts = [one.text for one in parsed(plan).iter(f"{SVG}text")]
    for vif in plan.vifs:
        assert texts.count(vif.name) == 1
        assert {vif.mac, *map(str, vif.nic.fixed_addresses)} <= set(texts)
    assert sum(len(group.members) for group in groups_of(plan)) == len(plan.vifs)


def test_nothing_lies_over_anything_or_leaves_the_page(plan: NetworkPlan) -> None:
    page = parsed(plan)
    width, height = float(page.attrib["width"]), float(page.attrib["height"])
    boxes = []
    for one in page.iter(f"{SVG}rect"):
        if "x" in one.attrib:
            left, top = float(one.attrib["x"]), float(one.attrib["y"])
            boxes.append((left, top, left + float(one.attrib["width"]), top + float(one.attrib["height"])))
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in boxes)
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
    for text in page.iter(f"{SVG}text"):
        left, base = float(text.attrib["x"]), float(text.attrib["y"])
        end = left + len(text.text or "") * 7.3
        assert any(box[0] < left and end <= box[2] and box[1] < base < box[3] for box in boxes), text.text


def test_the_text_has_a_line_for_every_vif(plan: NetworkPlan) -> None:
    lines = picture_text(plan).splitlines()
    for vif in plan.vifs:
        (line,) = [line for line in lines if f" {vif.name} " in line]
        assert vif.mac in line


def test_forwards_and_isolation_are_told(tmp_path: Path) -> None:
    shown = picture_text(planned(tmp_path, GUESTS))
    assert "from 192.0.2.20 tcp 8080 to 80" in shown
    assert "from 192.0.2.20 tcp 25, 1000-1002" in shown
    assert "192.0.2.12  2001:db8:0:2::12  [isolated]" in shown


def test_two_interfaces_are_two_boxes(tmp_path: Path) -> None:
    plan = planned(tmp_path, GUESTS, DOM0 + "  - {name: br1, ports: [eth1]}\n")
    page = parsed(plan)
    devices = [group.findtext(f"{SVG}text") for group in page.iter(f"{SVG}g") if group.get("class") == "device"]
    assert devices == ["eth0", "eth1"]


def test_a_bridge_that_dom0_yaml_does_not_name_is_shown_as_unknown(tmp_path: Path) -> None:
    guests = load(Site(lay_site(tmp_path, DOM0, {"b1": GUESTS["b1"]}))).guests
    plan = plan_network(Dom0(), guests)
    assert [(group.name, group.mode) for group in groups_of(plan)] == [("xenbr0", "unknown")]
    assert "b1.0" in {one.text for one in parsed(plan).iter(f"{SVG}text")}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app.load_commands()
    site = str(lay_site(tmp_path / "site"))
    assert app.call(["--site", site, "network", "show", "--svg", str(tmp_path / "a.svg")]) == app.FINE
    assert "└─ routed  routed" in capsys.readouterr().out
    assert app.call(["--site", site, "network", "show", "--svg", "-"]) == app.FINE
    assert capsys.readouterr().out == (tmp_path / "a.svg").read_text()
    assert app.call(["--site", site, "network", "show", "--json"]) == app.FINE
    shown = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in shown["networks"]] == ["xenbr0", "natbr0", "routed"]
    assert shown["networks"][1]["guests"][0]["forwards"] == [
        "192.0.2.20 tcp 8080 to 80",
        "192.0.2.20 tcp 25, 1000-1002",
    ]
