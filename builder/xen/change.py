"""A change of dom0's network: what it makes of what is seen, what it would write, and what forbids it. Decides only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from builder.errors import BuilderError
from builder.findings import Finding
from builder.profile.dom0 import Dom0
from builder.xen.live import Live
from builder.xen.live_steps import Round, steps
from builder.xen.live_switch_target import check_switches
from builder.xen.live_switches import transaction
from builder.xen.live_target import Past, Target, check_live, target_of
from builder.xen.network.devices import bridges_of
from builder.xen.network.places import UNIT
from builder.xen.network.plan import NetworkPlan
from builder.xen.stanzas import commented, stanzas_of

# nftables tables that are ours; no other is ever named to nft.
TABLES = (("inet", "domu"), ("bridge", "domu"))
_REPORT = "none of it was loaded; this is a fault of domu's own: please report it with `domu network plan`"
_STATEMENT = re.compile(r"(?:(?:add|delete|destroy|flush) )?table (inet|bridge|ip|ip6|arp|netdev) (\S+)(?: \{)?")
_ELEMENTS = re.compile(r"\{ ([^{}\n]+) \}")


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's content and mode."""

    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Somebody else's file, with our interfaces' stanzas as comments, or again as it was."""

    was: str
    becomes: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Interfaces, some kernel settings (None: there is no such file), and our tables as text (None: there is none)."""

    live: Live
    sysctls: Mapping[str, str | None]
    tables: Mapping[str, str | None]

    def part(self, scope: frozenset[str]) -> Seen:
        """Without other interfaces."""
        return replace(self, live=self.live.only(scope))


@dataclass(frozen=True, slots=True)
class Applied:
    """What a confirmed change left: what it wrote and set, and how everything was before the first one.

    `taken`: files of others that lost our interfaces' stanzas. `extra`: commands of the plan that may be run again.
    """

    files: Mapping[str, FileText] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ruleset: str = ""
    tables: Mapping[str, str | None] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    origin_sysctls: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, Rewrite] = field(default_factory=dict)
    extra: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done at once, and what to write for good when it is confirmed.

    `sysctls`: those whose values are others now, in order. `ruleset` None: our tables are as they shall be.
    `restoring`: the ruleset that brings our tables back to what they are now. `at_boot`: what takes Open vSwitch's
    part back after a boot, in words for `ovs-vsctl`. `leaving`, `manager`: what the machine's daemons are told before
    and after the files change.
    """

    target: Target
    links: Round
    sysctls: Mapping[str, str]
    ruleset: str | None
    after: Applied
    before: Seen
    restoring: str
    at_boot: tuple[str, ...] = ()
    leaving: tuple[tuple[str, ...], ...] = ()
    manager: tuple[tuple[str, ...], ...] = ()
    gone: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    rewrites: Mapping[str, Rewrite] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing would be different."""
        return not (self.links.commands or self.sysctls or self.ruleset or self.gone or self.written or self.rewrites)


def plan_change(plan: NetworkPlan | None, seen: Seen, applied: Applied, disk: Mapping[str, str | None]) -> Change:
    """From what is seen to the plan, or without one to how it was before the first change.

    `disk`: what the files of the plan, of `applied`, and of ifupdown hold now (None: no file). BuilderError for a
    plan whose ruleset is not about our tables alone.
    """
    dom0, vifs = (plan.dom0, plan.vifs) if plan else (Dom0(), ())
    target = target_of(dom0, vifs, seen.live, applied.past)
    wanted = _wanted_sysctls(plan, seen)
    returned = {name: value for name, value in applied.origin_sysctls.items() if name not in wanted}
    sysctls = {
        name: value
        for name, value in {**returned, **wanted}.items()
        if seen.sysctls.get(name) != value and (name in wanted or seen.sysctls.get(name) is not None)
    }
    files = {one.path: FileText(one.text, one.mode) for one in plan.files} if plan else {}
    rewrites = _rewrites(plan, applied, disk)
    gone = tuple(sorted(name for name in applied.files if name not in files and disk.get(name) is not None))
    return Change(
        target=target,
        links=steps(seen.live, target.live, target.scope),
        sysctls=sysctls,
        ruleset=_ruleset(plan, seen, applied),
        after=Applied(
            files=files,
            sysctls=wanted,
            ruleset=plan.ruleset if plan else "",
            past=Past(_origin(target, seen, applied), target.live),
            origin_sysctls=_origin_sysctls(wanted, seen, applied),
            taken={**applied.taken, **rewrites} if plan else {},
            extra=tuple(one.argv for one in plan.commands if one.argv[0] == "bridge") if plan else (),
        ),
        before=seen.part(target.scope),
        restoring=_restoring(seen, applied),
        at_boot=transaction(target.live.switches, seen.live.only(target.scope).switches, target.scope),
        leaving=() if plan or not applied.files else (("systemctl", "disable", UNIT),),
        manager=_manager(plan),
        gone=gone,
        written=tuple(name for name, one in files.items() if disk.get(name) != one.text),
        rewrites=rewrites,
    )


def _rewrites(plan: NetworkPlan | None, applied: Applied, disk: Mapping[str, str | None]) -> dict[str, Rewrite]:
    """Stanzas of our interfaces become comments; without a plan, files that are still as we left them go back."""
    if plan is None:
        return {
            path: Rewrite(one.becomes, one.was) for path, one in applied.taken.items() if disk.get(path) == one.becomes
        }
    return {
        path: Rewrite(applied.taken[path].was if path in applied.taken else text, commented(text, plan.owned))
        for path, text in _others(plan, applied, disk)
        if stanzas_of(text, plan.owned)
    }


def _others(plan: NetworkPlan, applied: Applied, disk: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Files of ifupdown's that are not ours."""
    ours = {*applied.files, *(one.path for one in plan.files)}
    if plan.dom0.network_manager == "ifupdown":
        yield from ((path, text) for path, text in disk.items() if text is not None and path not in ours)


def _wanted_sysctls(plan: NetworkPlan | None, seen: Seen) -> dict[str, str]:
    """Those of the plan; of a module that is not loaded, none."""
    wanted = plan.sysctls if plan else ()
    return {one.name: one.value for one in wanted if seen.sysctls.get(one.name) is not None or not one.optional}


def _ruleset(plan: NetworkPlan | None, seen: Seen, applied: Applied) -> str | None:
    """What nft has to load; None where our tables are right."""
    if plan is None:
        return without_tables() if any(text is not None for text in seen.tables.values()) else None
    check_ruleset(plan.ruleset)
    unchanged = plan.ruleset == applied.ruleset and dict(seen.tables) == dict(applied.tables)
    return None if unchanged else plan.ruleset


def _origin(target: Target, seen: Seen, applied: Applied) -> Live:
    """What the target's interfaces were before domu: kept from the first change, and seen now for new ones."""
    known = applied.past.origin.only(target.scope)
    fresh = seen.live.only(target.scope - applied.past.origin.links.keys() - applied.past.made)
    return Live(
        {**fresh.links, **known.links},
        fresh.routes | known.routes,
        fresh.proxies | known.proxies,
        {**fresh.switches, **known.switches},
    )


def _origin_sysctls(wanted: Mapping[str, str], seen: Seen, applied: Applied) -> dict[str, str]:
    found = {name: applied.origin_sysctls.get(name) or seen.sysctls.get(name) for name in wanted}
    return {name: value for name, value in found.items() if value is not None}


def _manager(plan: NetworkPlan | None) -> tuple[tuple[str, ...], ...]:
    if plan is None:
        return (("systemctl", "daemon-reload"),)
    return tuple(one.argv for one in plan.commands if one.scope == "manager")


def check_change(
    plan: NetworkPlan | None,
    seen: Seen,
    applied: Applied,
    disk: Mapping[str, str | None],
    *,
    force: bool,
    take_over: bool,
) -> Iterator[Finding]:
    """What forbids a change: foreign bridges, Open vSwitch at rest, and unless allowed other people's files."""
    vifs = [vif.name for vif in plan.vifs] if plan else []
    bridges = bridges_of(plan.dom0, plan.vifs) if plan else ()
    yield from check_switches(bridges, seen.live, applied.past.origin.switches, applied.past.held.switches, vifs)
    if plan:
        yield from check_live(plan.dom0, seen.live, made=applied.past.made, vifs=vifs)
        for path, text in () if take_over else _others(plan, applied, disk):
            for one in stanzas_of(text, plan.owned):
                yield Finding(
                    "N406",
                    f"{path} configures {one.interface} in lines {one.first} to {one.last}, and so would domu's file",
                    "let domu make comments of these lines, when the change is confirmed: --take-over",
                )
    if force:
        return
    for path in sorted({*applied.files, *(one.path for one in plan.files if plan)} if plan else applied.files):
        if disk.get(path) is None:
            continue
        ours = applied.files.get(path)
        if ours is None and plan and {one.path: one.text for one in plan.files}.get(path) != disk[path]:
            hint = "move it away, or let domu write over it, which keeps a copy: --force"
            yield Finding("N404", f"{path} is there, and domu did not write it", hint)
        elif ours and disk[path] != ours.text:
            hint = "put its lines into dom0.yaml or a file of another name; then --force, which keeps a copy"
            yield Finding("N405", f"{path} was changed by hand since domu wrote it", hint)


def check_ruleset(text: str) -> None:
    """BuilderError unless every statement of the ruleset is about our own tables."""
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if depth == 0 and words:
            found = _STATEMENT.fullmatch(words)
            if not found or (found[1], found[2]) not in TABLES:
                raise BuilderError(f"line {number} of the ruleset is not about a table of domu's own: {words}", _REPORT)
        depth += words.count("{") - words.count("}")
    if depth:
        raise BuilderError("the ruleset's braces do not match", _REPORT)


def in_order(listing: str) -> str:
    """What nft prints of a table, with sets in alphabetical order: the kernel's own differs from load to load."""
    return _ELEMENTS.sub(lambda found: "{ " + ", ".join(sorted(found[1].split(", "))) + " }", listing)


def without_tables() -> str:
    """For `nft --file`: our tables are gone, whether they were there or not."""
    return "".join(f"table {family} {name}\ndelete table {family} {name}\n" for family, name in TABLES)


def _restoring(seen: Seen, applied: Applied) -> str:
    """The text that was loaded where nobody has changed the tables since; else what nft prints of them."""
    if applied.ruleset and dict(seen.tables) == dict(applied.tables):
        return applied.ruleset
    return without_tables() + "".join(text for text in seen.tables.values() if text)


def diff_of(change: Change, applied: Applied, disk: Mapping[str, str | None]) -> str:
    """Unified diff of files, settings and rules, then the steps on interfaces; empty when nothing is to be done."""
    parts = [
        _diff(disk.get(path) or "", change.after.files[path].text, path, new_file=disk.get(path) is None)
        for path in change.written
    ]
    parts += [_diff(disk[path] or "", "", path, gone=True) for path in change.gone]
    parts += [_diff(disk[path] or "", one.becomes, path) for path, one in change.rewrites.items()]
    if change.ruleset is not None:
        drifted = applied.tables and dict(change.before.tables) != dict(applied.tables)
        if drifted:
            held, was = ("".join(text or "" for text in one.values()) for one in (change.before.tables, applied.tables))
            parts.append(_diff(was, held, "nftables, changed by hand since domu loaded it"))
        parts.append(_diff(applied.ruleset, change.after.ruleset, "nftables"))
    settings = [
        (f"-{name} = {change.before.sysctls[name]}\n" if change.before.sysctls.get(name) else "")
        + f"+{name} = {value}\n"
        for name, value in change.sysctls.items()
    ]
    parts += ["--- sysctl\n+++ sysctl\n", *settings] if settings else []
    lines = change.links.commands
    parts += ["--- interfaces\n+++ interfaces\n", *(f"+{line}\n" for line in lines)] if lines else []
    return "".join(parts)


def _diff(old: str, new: str, name: str, *, new_file: bool = False, gone: bool = False) -> str:
    found = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        "/dev/null" if new_file else name,
        "/dev/null" if gone else name,
    )
    return "".join(found)
