"""Makes SSH host keys for guests, by ssh-keygen, in the site's secrets/; what is there is never replaced."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.errors import BuilderError
from builder.host import files
from builder.host.run import Runner, as_line
from builder.profile.host_keys import KeyKind

SECRETS = "secrets"
# Debian's own sizes (ssh-keygen(1)); ed25519 has one.
_SIZES: Mapping[KeyKind, tuple[str, ...]] = {"ed25519": (), "ecdsa": ("-b", "256"), "rsa": ("-b", "3072")}


def key_file(guest: str, kind: KeyKind) -> str:
    """Relative to the site, as a profile names it."""
    return f"{SECRETS}/{guest}/ssh_host_{kind}_key"


def make_host_keys(root: Path, guest: str, kinds: Sequence[KeyKind], *, runner: Runner) -> None:
    """Private keys (0600) in a folder (0700) of the guest's own, public halves beside them.

    BuilderError before anything is made when one is there, or when ssh-keygen fails.
    """
    paths = {kind: root / key_file(guest, kind) for kind in kinds}
    for path in paths.values():
        if path.exists() or path.is_symlink():
            hint = f"domu hostkeys {guest} --show prints its public half; to have a new one, move the old away yourself"
            raise BuilderError(f"{path} is there already, and is not replaced", hint)
    _lay_folders(root, guest)
    for kind, path in paths.items():
        argv = ["ssh-keygen", "-q", "-t", kind, *_SIZES[kind], "-N", "", "-C", f"root@{guest}", "-f", str(path)]
        done = runner(argv)
        if done.status != 0:
            raise BuilderError(f"ssh-keygen made no key: {done.complaint}", f"try it by hand: {as_line(argv)}")
        if stat.S_IMODE(path.stat().st_mode) != 0o600:
            path.chmod(0o600)


def _lay_folders(root: Path, guest: str) -> None:
    """Folders that only their owner opens; a new secrets/ is kept out of git."""
    secrets = root / SECRETS
    new = not secrets.exists()
    files.private_folder(secrets / guest)
    for folder in (secrets, secrets / guest):
        if folder == secrets and not new:
            continue  # it is somebody's, with the modes that they chose
        folder.chmod(0o700)
    if new:
        files.write_atomic(secrets / ".gitignore", b"*\n", mode=0o644)
