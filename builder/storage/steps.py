"""The steps of a storage plan, and the command lines each of them is: arguments only, nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from builder.storage.facts import LogicalVolume
from builder.storage.labels import MARK, UNFINISHED
from builder.storage.wishes import Wipe
from builder.units import Size

Command = tuple[str, ...]
_FORMATS: dict[str, Command] = {
    "ext4": ("mkfs.ext4", "-q"),  # neither has long options
    "xfs": ("mkfs.xfs", "-q"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A volume as the plan saw it: its step is refused when UUID, size or tags are other ones by then."""

    group: str
    name: str
    uuid: str
    size: Size
    tags: frozenset[str]

    @classmethod
    def of(cls, volume: LogicalVolume) -> Target:
        """The volume as it is in the facts."""
        return cls(volume.group, volume.name, volume.uuid, volume.size, volume.tags)

    @property
    def path(self) -> str:
        """GROUP/NAME."""
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """A new volume with its tags, its old data wiped, and a file system where one is wished for."""

    guest: str
    group: str
    name: str
    extents: int
    size: Size
    tags: frozenset[str]
    pool: str = ""
    wipe: Wipe = "signatures"
    filesystem: str = ""

    @property
    def path(self) -> str:
        """GROUP/NAME."""
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class FinishVolume:
    """Wipe and format a volume that an earlier run made and did not finish."""

    guest: str
    target: Target
    thin: bool
    wipe: Wipe = "signatures"
    filesystem: str = ""


@dataclass(frozen=True, slots=True)
class GrowVolume:
    """Make a volume larger; what it holds stays. `wipe` is for what is new of it."""

    guest: str
    target: Target
    extents: int
    size: Size
    thin: bool
    wipe: Wipe = "signatures"


@dataclass(frozen=True, slots=True)
class WipeGrown:
    """Wipe what a volume has beyond its first `keep` bytes: it was grown, and its growing was cut off there."""

    guest: str
    target: Target
    keep: Size
    wipe: Wipe


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    """Destroy a volume that is tagged as ours."""

    guest: str
    target: Target


@dataclass(frozen=True, slots=True)
class TagVolume:
    """Give or take tags."""

    guest: str
    target: Target
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ActivateVolume:
    """Let the kernel have a device for it; xl needs one."""

    guest: str
    target: Target


Step = CreateVolume | FinishVolume | GrowVolume | WipeGrown | RemoveVolume | TagVolume | ActivateVolume


def path_of(step: Step) -> str:
    """GROUP/NAME of what the step is about."""
    return step.path if isinstance(step, CreateVolume) else step.target.path


def describe(step: Step) -> str:
    """The step in words, for the log of a run."""
    match step:
        case CreateVolume():
            where = f" in the thin pool {step.pool}" if step.pool else f", {step.extents} extents"
            return f"create {step.path}: {step.size.human}{where}"
        case FinishVolume(target=target):
            return f"wipe and finish {target.path}"
        case GrowVolume(target=target):
            return f"grow {target.path} from {target.size.human} to {step.size.human}"
        case WipeGrown(target=target):
            return f"wipe what is new of {target.path}"
        case RemoveVolume(target=target):
            return f"destroy {target.path}: {target.size.human}"
        case TagVolume(target=target):
            changes = [f"+{tag}" for tag in sorted(step.add)] + [f"-{tag}" for tag in sorted(step.remove)]
            return f"tag {target.path}: {' '.join(changes)}"
        case ActivateVolume(target=target):
            return f"activate {target.path}"
        case _:
            assert_never(step)


def commands_of(step: Step) -> tuple[Command, ...]:
    """The command lines of one step, in order; each must end well before the next is run."""
    match step:
        case CreateVolume():
            return (_create(step), *_clean(step.path, step.wipe, thin=bool(step.pool)), *_ready(step))
        case FinishVolume(target=target):
            wiped = ("wipefs", "--all", f"/dev/{target.path}")
            # --ignoreactivationskip: a volume with the flag k is activated in no other way.
            active = ("lvchange", "--activate", "y", "--ignoreactivationskip", target.path)
            return (active, wiped, *_clean(target.path, step.wipe, thin=step.thin), *_ready(step))
        case GrowVolume(target=target):
            # The whole number of extents: run twice, it does not grow twice.
            grown = ("lvextend", "--extents", str(step.extents), target.path)
            return (grown, *_clean(target.path, step.wipe, thin=step.thin, part=_new(target.size, step.size)))
        case WipeGrown(target=target):
            return _clean(target.path, step.wipe, thin=False, part=_new(step.keep, target.size))
        case RemoveVolume(target=target):
            # Chosen by UUID and tag under LVM's own lock: another volume that has taken the name is not removed.
            chosen = f'lv_uuid="{target.uuid}" && lv_tags={{"{MARK}"}}'
            return (("lvremove", "--yes", "--select", chosen, target.group),)
        case TagVolume(target=target):
            added = [word for tag in sorted(step.add) for word in ("--addtag", tag)]
            removed = [word for tag in sorted(step.remove) for word in ("--deltag", tag)]
            return (("lvchange", *added, *removed, target.path),)
        case ActivateVolume(target=target):
            return (("lvchange", "--activate", "y", "--ignoreactivationskip", target.path),)
        case _:
            assert_never(step)


def _create(step: CreateVolume) -> Command:
    tags = [word for tag in (*sorted(step.tags), UNFINISHED) for word in ("--addtag", tag)]
    thin = ("--type", "thin", "--thinpool", step.pool, "--virtualsize", f"{step.size.bytes}b")
    # --yes: wipe the signatures that are found, and ask nobody.
    thick = ("--yes", "--wipesignatures", "y", "--zero", "y", "--extents", str(step.extents))
    return ("lvcreate", *(thin if step.pool else thick), *tags, "--name", step.name, step.group)


def _ready(step: CreateVolume | FinishVolume) -> tuple[Command, ...]:
    """A file system, and away with the sign that it is unfinished."""
    path = step.path if isinstance(step, CreateVolume) else step.target.path
    made = [(*_FORMATS[step.filesystem], f"/dev/{path}")] if step.filesystem else []
    return (*made, ("lvchange", "--deltag", UNFINISHED, path))


def _new(before: Size, after: Size) -> Command:
    # --force: it may be in use; what is new of it is not yet.
    return ("--force", "--offset", str(before.bytes), "--length", str(after.bytes - before.bytes))


def _clean(path: str, wipe: Wipe, *, thin: bool, part: Command = ()) -> tuple[Command, ...]:
    """What wipes old data; a thin pool hands out blocks of zeros, which the plan has seen to."""
    if wipe == "signatures" or thin:
        return ()
    zero = ("--zeroout",) if wipe == "zero" else ()
    return (("blkdiscard", *zero, *part, f"/dev/{path}"),)
