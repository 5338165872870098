"""How the system disk is partitioned: from a recipe of partman's back to a profile's partitions."""

from __future__ import annotations

import re
from typing import Any, get_args

from builder.preseed.recipe import Line, Recipe, parse_recipe
from builder.profile.disks import Disk, Filesystem
from builder.xen.adopt.evidence import Ledger

_STOCK = get_args(get_args(Disk.model_fields["recipe"].annotation)[0])
_UNLIMITED = 1_000_000_000  # partman's own sign for it, and what people write: as many MB or more
_OWN_WORDS = frozenset({"method", "format", "use_filesystem", "filesystem", "mountpoint", "lv_name"}) | {
    *("$primary", "$bootable", "$lvmok", "$iflabel", "$reusemethod", "$defaultignore")
}


def layout_of(ledger: Ledger, gaps: list[str]) -> dict[str, Any]:
    """Keys of `disk`: label, method, and recipe or partitions, as far as volumes.json or the installer's answers go."""
    planned = (ledger.evidence.planned or {}).get("disk", {})
    answers = ledger.evidence.answers or {}
    label = planned.get("label") or answers.get("partman-partitioning/default_label", "")
    method = planned.get("method") or answers.get("partman-auto/method", "")
    found: dict[str, Any] = {}
    if label in {"msdos", "gpt"}:
        found["label"] = label
    if method in {"regular", "lvm"}:
        found["method"] = method
    elif method:
        gaps.append(f"partman-auto/method was {method!a}, which has no field")
    expert, stock = answers.get("partman-auto/expert_recipe", ""), answers.get("partman-auto/choose_recipe", "")
    if not expert and stock in _STOCK:
        return found | {"recipe": stock}
    text = expert or str(planned.get("recipe", ""))
    partitions = partitions_of(text, lvm=method == "lvm") if text else None
    if partitions:
        return found | {"partitions": partitions}
    gaps.append(
        "partitions: " + ("the recipe has what no field says" if text else "how it is partitioned is told nowhere")
    )
    return found


def partitions_of(text: str, *, lvm: bool = False) -> list[dict[str, Any]] | None:
    """A recipe's lines as a profile has them; None where one says more than a profile can."""
    recipe, findings = parse_recipe(text)
    if findings.errors:
        return None
    mounts = {_value(line, "mountpoint") for line in recipe.lines}
    found = []
    for line in recipe.lines:
        if _value(line, "method") == "biosgrub":
            continue  # domu adds it by itself
        partition = _partition(line, recipe, boots="/boot" if "/boot" in mounts else "/", lvm=lvm)
        if partition is None:
            return None
        found.append(partition)
    return found if any(partition["mount"] == "/" for partition in found) else None


def _partition(line: Line, recipe: Recipe, *, boots: str, lvm: bool) -> dict[str, Any] | None:
    names = {specifier.name for specifier in line.specifiers}
    method, filesystem = _value(line, "method"), _value(line, "filesystem")
    swap = method == "swap"
    mount = "swap" if swap else _value(line, "mountpoint")
    figures = [_figure(line.word(position)) for position in range(3)]
    if not (names <= _OWN_WORDS and all(figures) and (swap or (method == "format" and mount.startswith("/")))):
        return None
    if not swap and filesystem not in get_args(Filesystem):
        return None
    if lvm and ("$lvmok" in names) == (mount == "/boot"):
        return None
    found: dict[str, Any] = {"mount": mount, "filesystem": "swap" if swap else filesystem}
    found |= dict(zip(("minimum", "priority", "maximum"), figures, strict=True))
    if not lvm:
        primary = "$primary" in names
        found |= {"primary": primary} if primary != (mount in {"/", boots}) else {}
    if name := _value(line, "lv_name"):
        found["name"] = name
    del recipe
    return found


def _value(line: Line, name: str) -> str:
    return next((one.value for one in line.specifiers if one.name == name and one.closed), "")


def _figure(word: str) -> str:
    """Partman's figure as a profile writes it; nothing where it is none."""
    if word == "-1":
        return "unlimited"
    if re.fullmatch(r"[0-9]{1,4}%", word):
        return word
    if not re.fullmatch(r"[0-9]{1,18}", word):
        return ""
    return "unlimited" if int(word) >= _UNLIMITED else f"{int(word)}MB"
