"""What adopting a guest goes by, gathered on its dom0: the xl config, LVM, xendomains' links, an installer's log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import BuilderError
from builder.findings import Finding, Severity
from builder.host.lvm import read_storage
from builder.host.run import Runner
from builder.preseed.installer_log import read_answers
from builder.profile.dom0 import Dom0
from builder.storage.facts import StorageFacts
from builder.xen.adopt.evidence import Evidence
from builder.xen.xlcfg import parse_xl_config

ROOT = Path("/")
_BIGGEST = 4 << 20
# Below /var/log/installer, or the folder itself.
_LOGS = ("cdebconf/questions.dat", "questions.dat")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the user named; empty means: look in the usual places, or do without."""

    config: Path | None = None
    installer_log: Path | None = None
    volumes: Path | None = None
    suite: str = ""
    gateway: str = ""


def gather(
    name: str, sources: Sources, dom0: Dom0, runner: Runner, root: Path = ROOT
) -> tuple[Evidence, tuple[Finding, ...]]:
    """Read everything. BuilderError for files that cannot be read, RefusalError for a config that is none."""
    path = sources.config or _find_config(name, root)
    config = parse_xl_config(_read(path), str(path))
    storage, findings = _storage(name, runner, root)
    log = _log(sources.installer_log) if sources.installer_log else None
    home = path.resolve().parent
    evidence = Evidence(
        name,
        config,
        arch=_arch(runner),
        storage=storage,
        answers=read_answers(_read(log), str(log)) if log else None,
        planned=_planned(sources.volumes, home),
        autostart=_autostart(path, root),
        dom0=dom0,
        dom0_path=str(home.parent) if home.name == name else "",
        suite=sources.suite,
        gateway=sources.gateway,
    )
    return evidence, findings


def _find_config(name: str, root: Path) -> Path:
    usual = [root / f"etc/xen/{name}.cfg", root / f"etc/xen/{name}", root / f"var/lib/domu/{name}/{name}.cfg"]
    found = next((path for path in usual if path.is_file()), None)
    if found is None:
        tried = ", ".join(map(str, usual))
        raise BuilderError(f"there is no config of {name}: {tried} are not there", "name it: --config FILE")
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_BIGGEST + 1)
        if len(data) > _BIGGEST:
            raise BuilderError(f"{path} is larger than any such file", "is it the right one?")
        return data.decode()
    except OSError as error:
        raise BuilderError(
            f"{path} cannot be read: {error.strerror}", "these files are root's: sudo domu ..."
        ) from error
    except UnicodeDecodeError as error:
        raise BuilderError(
            f"{path} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error


def _log(given: Path) -> Path:
    if not given.is_dir():
        return given
    found = next((given / name for name in _LOGS if (given / name).exists()), None)
    if found is None:
        raise BuilderError(
            f"{given} has no cdebconf/questions.dat", "give the guest's /var/log/installer, copied as root"
        )
    return found


def _storage(name: str, runner: Runner, root: Path) -> tuple[StorageFacts | None, tuple[Finding, ...]]:
    try:
        return read_storage(runner, root), ()
    except BuilderError as error:
        message = f"LVM could not be asked, so sizes are not known: {error.message}"
        return None, (
            Finding("A105", message, "run this as root on the guest's dom0", severity=Severity.WARNING, guest=name),
        )


def _planned(given: Path | None, home: Path) -> Mapping[str, Any] | None:
    path = given or home / "volumes.json"
    if given is None and not path.is_file():
        return None
    try:
        plan = json.loads(_read(path))
    except ValueError as error:
        raise BuilderError(f"{path} is no JSON: {error}", "give volumes.json of an earlier domu build") from error
    if not isinstance(plan, dict) or not isinstance(plan.get("volumes"), list):
        raise BuilderError(f"{path} has no list of volumes", "give volumes.json of an earlier domu build")
    return plan


def _autostart(config: Path, root: Path) -> bool | None:
    """Whether a link of xendomains leads to this very file; None where there is no such folder."""
    folder = root / "etc/xen/auto"
    if not folder.is_dir():
        return None
    return any(link.resolve() == config.resolve() for link in folder.iterdir())


def _arch(runner: Runner) -> str:
    done = runner(["dpkg", "--print-architecture"])
    return done.text.strip() if done.status == 0 else "amd64"
