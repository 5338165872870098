"""Guests as domu builds them, and what they leave on their dom0 for an adoption to find."""

from __future__ import annotations

import json
from typing import Any

from builder.preseed.installer_log import read_answers
from builder.profile.model import Guest
from builder.storage.facts import StorageFacts
from builder.storage.plan import VolumePlan, render_volumes_json
from builder.storage.wishes import wishes_of
from builder.xen.adopt.evidence import Evidence
from builder.xen.xlcfg import parse_xl_config
from tests.guests import artefacts
from tests.lvm_reports import EXTENT, facts, lv, pool, thin, vg


def evidence_of(one: Guest, *, planned: bool = True, **more: Any) -> Evidence:
    """The run config that domu rendered, volumes as it makes them, the preseed as the installer's answers."""
    done = artefacts(one)
    return Evidence(
        one.name,
        parse_xl_config(done.run_config, f"/etc/xen/{one.name}.cfg"),
        storage=storage_of(one, done.volumes),
        answers=read_answers(done.preseed.text, "preseed.cfg"),
        planned=json.loads(render_volumes_json(done.volumes)) if planned else None,
        autostart=one.autostart,
        dom0_path=one.dom0_path,
        **more,
    )


def storage_of(one: Guest, volumes: VolumePlan) -> StorageFacts:
    """What LVM says of its volumes, with their tags."""
    lvs = [pool(one.thin_pool)] if one.thin_pool else []
    for wish in wishes_of(one, volumes):
        tags = {"lv_tags": ",".join(sorted(wish.tags))}
        extents = wish.size.bytes // EXTENT
        lvs.append(thin(wish.name, extents, pool_lv=wish.pool, **tags) if wish.pool else lv(wish.name, extents, **tags))
    return facts(*lvs, group=vg(one.volume_group))
