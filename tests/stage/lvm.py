"""The stage's LVM and what works on volumes: the commands of a storage plan and one report; standard library only.

Metadata changes at once or not at all, as LVM's does. `half` is called where a command is half done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.stage.hardware import State, extents, free_extents, is_open, of_group, opened

Half = Callable[[], None]
_WANTED = re.compile(r'lv_uuid="(?P<uuid>[^"]+)" && lv_tags=\{"(?P<tag>[^"]+)"\}')


class Answer(NamedTuple):
    status: int = 0
    out: str = ""
    err: str = ""


def report(stage: Path, _words: Sequence[str], _half: Half) -> Answer:
    """`lvm fullreport`."""
    with opened(stage) as state:
        reports = []
        for name, group in state["groups"].items():
            rows = [_row(state, path, one) for path, one in state["volumes"].items() if path.startswith(f"{name}/")]
            total, free = int(group["vg"]["vg_extent_count"]), free_extents(state, name)
            vg = group["vg"] | {"vg_free_count": str(free)}
            pv = group["pv"] | {"pv_pe_count": str(total), "pv_pe_alloc_count": str(total - free)}
            pools = [row for row in rows if row["lv_layout"] == "thin,pool"]
            seg = [{"lv_uuid": row["lv_uuid"], "segtype": "thin-pool", "chunk_size": "65536"} for row in pools]
            reports.append({"vg": [vg], "pv": [pv], "lv": rows, "seg": seg})
    return Answer(out=json.dumps({"report": reports}))


def _row(state: State, path: str, volume: State) -> State:
    row: State = dict(volume["row"])
    if is_open(state, path):
        row["lv_attr"] = f"{row['lv_attr'][:5]}o{row['lv_attr'][6:]}"
    return row


def create(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`lvcreate`: there with its tags at once; what was on the disk before is wiped a moment later."""
    said = _options(words)
    name, group, pool = said["--name"][0], words[-1], said.get("--thinpool", [""])[0]
    path = f"{group}/{name}"
    with opened(stage) as state:
        if group not in state["groups"]:
            return Answer(5, err=f'  Volume group "{group}" not found')
        if path in state["volumes"]:
            return Answer(5, err=f'  Logical Volume "{name}" already exists in volume group "{group}"')
        row = dict(state["templates"]["thin" if pool else "lv"])
        if pool:
            size = int(said["--virtualsize"][0].removesuffix("b"))
        else:
            size, free = int(said["--extents"][0]) << 22, free_extents(state, group)
            if size >> 22 > free:
                needed = f"{size >> 22} required"
                return Answer(
                    5, err=f'  Volume group "{group}" has insufficient free space ({free} extents): {needed}.'
                )
        state["made"] += 1
        uuid = f"made{state['made']:02}-AAAA-BBBB-CCCC-DDDD-EEEE-FFFFFF"
        tags = ",".join(sorted(said.get("--addtag", [])))
        row |= {"lv_name": name, "lv_uuid": uuid, "lv_size": str(size), "lv_tags": tags, "pool_lv": pool}
        state["volumes"][path] = {"row": row, "content": "what was on the disk before"}
    half()
    with opened(stage) as state:
        state["volumes"][path]["content"] = "wiped"
    return Answer(out=f'  Logical volume "{name}" created.\n')


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            found.setdefault(word, []).append(value)
    return found


def remove(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`lvremove --yes --select lv_uuid="..." && lv_tags={"..."} GROUP`; ends well where nothing is selected."""
    wanted = _WANTED.fullmatch(_options(words)["--select"][0])
    if wanted is None or words[-1].count("/"):
        return Answer(3, err="  this stage knows no such selection")
    with opened(stage) as state:
        chosen = [one for one in of_group(state, words[-1]) if _is_chosen(one["row"], wanted["uuid"], wanted["tag"])]
        paths = [f"{words[-1]}/{one['row']['lv_name']}" for one in chosen]
        if held := [path for path in paths if is_open(state, path)]:
            return Answer(5, err=f"  Logical volume {held[0]} in use.")
        for one in chosen:
            one["row"]["lv_attr"] = f"{one['row']['lv_attr'][:4]}-{one['row']['lv_attr'][5:]}"
            one["row"] |= {"lv_kernel_major": "-1", "lv_kernel_minor": "-1"}
    half()
    with opened(stage) as state:
        for path in paths:
            del state["volumes"][path]
            state["removed"].append(path)
    return Answer(out="".join(f'  Logical volume "{path}" successfully removed.\n' for path in paths))


def _is_chosen(row: State, uuid: str, tag: str) -> bool:
    return row["lv_uuid"] == uuid and tag in row["lv_tags"].split(",")


def change(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`lvchange`: tags, or activation."""
    said = _options(words)
    half()
    with opened(stage) as state:
        if words[-1] not in state["volumes"]:
            return Answer(5, err=f'  Failed to find logical volume "{words[-1]}"')
        row = state["volumes"][words[-1]]["row"]
        tags = set(filter(None, row["lv_tags"].split(",")))
        tags = (tags | set(said.get("--addtag", []))) - set(said.get("--deltag", []))
        row["lv_tags"] = ",".join(sorted(tags))
        if "--activate" in said:
            row["lv_attr"] = f"{row['lv_attr'][:4]}a{row['lv_attr'][5:]}"
            row |= {"lv_kernel_major": "253", "lv_kernel_minor": "9"}
    return Answer()


def extend(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`lvextend --extents N PATH`."""
    wanted = int(_options(words)["--extents"][0])
    with opened(stage) as state:
        row, group = state["volumes"][words[-1]]["row"], words[-1].partition("/")[0]
        if wanted <= extents(row):
            return Answer(5, err=f"  New size ({wanted} extents) matches existing size ({extents(row)} extents).")
        if not row["pool_lv"] and wanted - extents(row) > free_extents(state, group):
            return Answer(5, err="  Insufficient free space")
        row["lv_size"] = str(wanted << 22)
    half()
    return Answer()


def wipe(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`wipefs --all`, `blkdiscard`."""
    return _write(stage, words[-1], "wiped", half)


def make_filesystem(stage: Path, words: Sequence[str], half: Half) -> Answer:
    """`mkfs.*`; -V prints its version and does nothing."""
    return Answer() if "-V" in words else _write(stage, words[-1], "an empty file system", half)


def _write(stage: Path, device: str, content: str, half: Half) -> Answer:
    path = device.removeprefix("/dev/")
    with opened(stage) as state:
        there = state["volumes"].get(path)
        if there is None or there["row"]["lv_attr"][4] != "a":
            return Answer(1, err=f"{device}: No such file or directory")
        if is_open(state, path):
            return Answer(1, err=f"{device}: Device or resource busy")
        there["content"] = "half written"
    half()
    with opened(stage) as state:
        state["volumes"][path]["content"] = content
    return Answer()
