"""Fetches the crypt hashes and private keys that profiles point to; what else comes is refused, and never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from builder.errors import BuilderError, RefusalError
from builder.findings import Finding
from builder.host.run import Runner, as_line
from builder.host.site import Site
from builder.profile.fields import CRYPT_HASH
from builder.profile.host_keys import KeySource
from builder.profile.model import SecretSource
from builder.profile.private_key import LockedKeyError, NoKeyError, clean_private_key, read_private_key
from builder.secret import Secret

_LONGEST = 32_768  # a private key of 16384 bits has 12,000
_MAKER: Mapping[type, str] = {SecretSource: "domu passwd", KeySource: "domu hostkeys GUEST"}
# `pass` may wait for a passphrase to be typed elsewhere.
_PATIENCE = 120.0


def resolve(
    sources: Mapping[str, SecretSource | KeySource],
    *,
    site: Site,
    runner: Runner,
    environment: Mapping[str, str],
) -> Mapping[str, Secret]:
    """Every secret by the path of its field; the same command is run once.

    `environment` is where `env` looks, and what commands get: `pass` and `sops` find their keys by it.
    Raises RefusalError with a finding (S0xx) for each that cannot be had.
    """
    found: dict[str, Secret] = {}
    findings: list[Finding] = []
    fetched: dict[SecretSource | KeySource, str | Finding] = {}
    for path, source in sources.items():
        if isinstance(source, SecretSource) and source.hash:
            found[path] = source.hash
            continue
        if source not in fetched:
            fetched[source] = _fetch(source, site, runner, environment)
        text = fetched[source]
        outcome = text if isinstance(text, Finding) else _judged(path, source, text)
        if isinstance(outcome, Finding):
            findings.append(Finding(outcome.code, f"{path}: {outcome.message}", outcome.hint))
        else:
            found[path] = outcome
    if findings:
        raise RefusalError("not every secret can be had", findings)
    return found


def _fetch(
    source: SecretSource | KeySource, site: Site, runner: Runner, environment: Mapping[str, str]
) -> str | Finding:
    if source.file:
        return _from_file(site, source.file, _MAKER[type(source)])
    if source.env:
        text = environment.get(source.env)
        return text or Finding("S003", f"the environment variable {source.env} is not set", f"export {source.env}=...")
    return _from_command(source.command or (), runner, environment)


def _from_file(site: Site, name: str, maker: str) -> str | Finding:
    path = site.root / name
    try:
        # A pipe in place of the file must not keep us waiting.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Finding("S002", f"{path}: {error.strerror}", f"put it there: {maker}")
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            return Finding("S002", f"{path} is no regular file", f"put it there: {maker}")
        if mode & stat.S_IROTH:
            return Finding("S004", f"{path} can be read by everybody on this machine", f"chmod 600 {path}")
        return os.read(handle, _LONGEST).decode(errors="replace")
    finally:
        os.close(handle)


def _from_command(argv: tuple[str, ...], runner: Runner, environment: Mapping[str, str]) -> str | Finding:
    by_hand = f"try it by hand: {as_line(argv)}"
    try:
        done = runner(argv, limit=_PATIENCE, env=environment)
    except BuilderError as error:
        return Finding("S005", error.message, error.hint)
    if done.status:
        # What it wrote may be the secret itself, so it is not repeated.
        return Finding("S005", f"the command {argv[0]} ended with status {done.status}", by_hand)
    return done.stdout[:_LONGEST].decode(errors="replace")


def _judged(path: str, source: SecretSource | KeySource, text: str) -> Secret | Finding:
    if isinstance(source, KeySource):
        return _private_key(path.rpartition(".")[2], _where(source), text)
    first = text.splitlines()[0].strip() if text.strip() else ""
    if CRYPT_HASH.fullmatch(first):
        return Secret(first)
    problem = "gives something else than a crypt hash" if first else "has an empty first line"
    return Finding("S006", f"{_where(source)} {problem}", f"`{_MAKER[SecretSource]}` makes one")


def _private_key(kind: str, where: str, text: str) -> Secret | Finding:
    try:
        public = read_private_key(text)
        if public.kind != kind:
            return Finding("S007", f"{where} holds a private key of type {public.kind}", f"write it as {public.kind}:")
        return Secret(clean_private_key(text))
    except LockedKeyError as error:
        hint = "sshd could not use it without a person: ssh-keygen -p -N '' -f FILE takes the passphrase away"
        return Finding("S008", f"{where} {error}", hint)
    except NoKeyError as error:
        return Finding("S007", f"{where} {error}", f"`{_MAKER[KeySource]}` makes one")


def _where(source: SecretSource | KeySource) -> str:
    if source.file:
        return source.file
    return f"the environment variable {source.env}" if source.env else f"the command {(source.command or ('',))[0]}"
