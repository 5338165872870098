"""Fetches the crypt hashes that profiles point to; whatever else comes is refused, and never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.run import Runner, as_line
from builder.host.site import Site
from builder.profile.fields import CRYPT_HASH
from builder.profile.model import SecretSource
from builder.secret import Secret

_LONGEST = 4096
# `pass` may wait for a passphrase to be typed elsewhere.
_PATIENCE = 120.0


def resolve(
    sources: Mapping[str, SecretSource], *, site: Site, runner: Runner, environment: Mapping[str, str]
) -> Mapping[str, Secret]:
    """Every secret by the path of its field; the same command is run once.

    `environment` is where `env` looks, and what commands get: `pass` and `sops` find their keys by it.
    Raises RefusalError with a finding (S0xx) for each that cannot be had.
    """
    found: dict[str, Secret] = {}
    findings: list[Finding] = []
    fetched: dict[SecretSource, Secret | Finding] = {}
    for path, source in sources.items():
        if source not in fetched:
            fetched[source] = _fetch(source, site, runner, environment)
        match fetched[source]:
            case Secret() as secret:
                found[path] = secret
            case Finding() as finding:
                message = f"{path}: {finding.message}"
                findings.append(Finding(finding.code, message, finding.hint))
    if findings:
        raise RefusalError("not every secret can be had", findings)
    return found


def _fetch(source: SecretSource, site: Site, runner: Runner, environment: Mapping[str, str]) -> Secret | Finding:
    if source.hash:
        return source.hash
    if source.file:
        return _from_file(site, source.file)
    if source.env:
        text = environment.get(source.env)
        if not text:
            return Finding("S003", f"the environment variable {source.env} is not set", f"export {source.env}=...")
        return _judged(text, f"the environment variable {source.env}")
    return _from_command(source.command or (), runner, environment)


def _from_file(site: Site, name: str) -> Secret | Finding:
    path = site.root / name
    try:
        # A pipe in place of the file must not keep us waiting.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Finding("S002", f"{path}: {error.strerror}", "put the hash there: domu passwd")
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            return Finding("S002", f"{path} is no regular file", "put the hash there: domu passwd")
        if mode & stat.S_IROTH:
            return Finding("S004", f"{path} can be read by everybody on this machine", f"chmod 600 {path}")
        return _judged(os.read(handle, _LONGEST).decode(errors="replace"), str(path))
    finally:
        os.close(handle)


def _from_command(argv: tuple[str, ...], runner: Runner, environment: Mapping[str, str]) -> Secret | Finding:
    by_hand = f"try it by hand: {as_line(argv)}"
    try:
        done = runner(argv, limit=_PATIENCE, env=environment)
    except BuilderError as error:
        return Finding("S005", error.message, error.hint)
    if done.status:
        # What it wrote may be the secret itself, so it is not repeated.
        return Finding("S005", f"the command {argv[0]} ended with status {done.status}", by_hand)
    return _judged(done.stdout[:_LONGEST].decode(errors="replace"), f"the command {argv[0]}")


def _judged(text: str, where: str) -> Secret | Finding:
    first = text.splitlines()[0].strip() if text.strip() else ""
    if CRYPT_HASH.fullmatch(first):
        return Secret(first)
    problem = "gives something else than a crypt hash" if first else "has an empty first line"
    return Finding("S006", f"{where} {problem}", "`domu passwd` makes one")
