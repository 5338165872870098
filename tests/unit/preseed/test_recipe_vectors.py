"""Layouts measured with the real partman-auto 162/177 and parted_server on empty disks; ours must agree to the byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builder.preseed.layout import predict
from builder.preseed.partman import Machine
from builder.preseed.recipe import Recipe, parse_recipe
from builder.preseed.stock import stock_names, stock_recipe
from builder.report.recipe import layout_data
from builder.units import Size

DATA = json.loads((Path(__file__).parents[2] / "data" / "partman-vectors.json").read_text())
Vector = dict[str, Any]
KEYS = ("fits", "min_size_mb", "decoded", "expanded_mb", "partitions", "vg_extents", "lvs")


def name_of(vector: Vector) -> str:
    mebibytes, more = divmod(vector["disk_bytes"], 1 << 20)
    disk = f"{mebibytes}MiB" + (f"+{more}" if more else "")
    ram = vector["ram_bytes"] // 1_000_000
    return "-".join([vector["release"], vector["recipe"], vector["method"], vector["label"], disk, f"{ram}MB"])


def recipe_of(vector: Vector) -> Recipe:
    if vector["recipe"] in stock_names(vector["release"]):
        return stock_recipe(vector["release"], vector["recipe"])
    return parse_recipe(DATA["recipes"][vector["recipe"]])[0]


@pytest.mark.parametrize("vector", DATA["vectors"], ids=name_of)
def test_predicts_what_partman_did(vector: Vector) -> None:
    machine = Machine(
        vector["release"],
        Size(vector["ram_bytes"]),
        vector["label"],
        vector["method"],
        vector["cap_ram"],
        vector["default_filesystem"],
        vector["device"],
    )
    layout = predict(recipe_of(vector), machine, Size(vector["disk_bytes"]))
    seen = layout_data(layout)
    assert {key: seen[key] for key in KEYS if key in vector} == {key: vector[key] for key in KEYS if key in vector}
    assert not layout.problem
