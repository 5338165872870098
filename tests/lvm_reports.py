"""LVM's reports for tests: rows as `lvm fullreport` of 2.03.16 prints them, with a few words changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from builder.storage.facts import StorageFacts, parse_report

EXTENT = 4 << 20


def uuid(name: str) -> str:
    """An UUID of LVM's form that is always the same for a name."""
    letters = f"{name:x<32}"[:32].replace("-", "y")
    return "-".join([letters[:6], *(letters[6 + 4 * at : 10 + 4 * at] for at in range(5)), letters[26:]])


def vg(name: str = "vg0", **more: str) -> dict[str, str]:
    return {
        "vg_name": name,
        "vg_uuid": uuid(name),
        "vg_attr": "wz--n-",
        "vg_extent_size": str(EXTENT),
        "vg_extent_count": "5000",
        "vg_free_count": "4000",
        "vg_tags": "",
    } | more


def pv(name: str = "/dev/sda3", **more: str) -> dict[str, str]:
    return {
        "pv_name": name,
        "pv_uuid": uuid(name.replace("/", "z")),
        "pv_attr": "a--",
        "pv_pe_count": "5000",
        "pv_pe_alloc_count": "1000",
    } | more


def lv(name: str = "web1-disk", extents: int = 1000, **more: str) -> dict[str, str]:
    return {
        "lv_name": name,
        "lv_uuid": uuid(name),
        "lv_attr": "-wi-a-----",
        "lv_size": str(extents * EXTENT),
        "lv_tags": "",
        "lv_layout": "linear",
        "lv_role": "public",
        "pool_lv": "",
        "origin": "",
        "lv_kernel_major": "253",
        "lv_kernel_minor": "0",
        "data_percent": "",
        "metadata_percent": "",
        "lv_metadata_size": "",
    } | more


def pool(name: str = "thin", extents: int = 2000, **more: str) -> dict[str, str]:
    values = {
        "lv_attr": "twi-aotz--",
        "lv_layout": "thin,pool",
        "lv_role": "private",
        "data_percent": "10.00",
        "metadata_percent": "11.00",
        "lv_metadata_size": str(2 * EXTENT),
    }
    return lv(name, extents, **(values | more))


def thin(name: str, extents: int, **more: str) -> dict[str, str]:
    values = {"lv_attr": "Vwi-a-tz--", "lv_layout": "thin,sparse", "pool_lv": "thin", "data_percent": "50.00"}
    return lv(name, extents, **(values | more))


def report(
    lvs: Sequence[dict[str, str]] = (),
    *,
    group: dict[str, str] | None = None,
    pvs: Sequence[dict[str, str]] | None = None,
) -> dict[str, Any]:
    pools = [one for one in lvs if one["lv_layout"] == "thin,pool"]
    segments = [{"lv_uuid": one["lv_uuid"], "segtype": "thin-pool", "chunk_size": "65536"} for one in pools]
    return {"vg": [group or vg()], "pv": list([pv()] if pvs is None else pvs), "lv": list(lvs), "seg": segments}


def text(*reports: dict[str, Any]) -> str:
    return json.dumps({"report": list(reports)})


def facts(*lvs: dict[str, str], **more: Any) -> StorageFacts:
    return parse_report(text(report(lvs, **more)))
