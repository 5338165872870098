"""A guest's SSH host keys, kept over rebuilds: where their private halves come from. None stands in a profile."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from builder.profile import fields
from builder.profile.base import Model

KeyKind = Literal["ed25519", "ecdsa", "rsa"]
KEY_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)


class KeySource(Model):
    """Where a private key comes from: file, environment variable or command."""

    file: fields.SitePath | None = Field(None, description="The private key's file; relative to the site")
    env: fields.VariableName | None = Field(None, description="An environment variable that holds the private key")
    command: tuple[fields.Text, ...] | None = Field(
        None, description="A program and its arguments that print the private key"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(bool(way) for way in (self.file, self.env, self.command)) != 1:
            raise ValueError("needs exactly one of file, env and command; domu hostkeys makes a file")
        return self

    @property
    def described(self) -> str:
        """In words: `file secrets/web1/ssh_host_ed25519_key`."""
        if self.file:
            return f"file {self.file}"
        return f"variable {self.env}" if self.env else f"command {' '.join(self.command or ())}"


class HostKeys(Model):
    """The host keys that the guest has after every rebuild; with any, it has no others."""

    ed25519: KeySource | None = Field(None, description="Private key of type ed25519, in OpenSSH's own form")
    ecdsa: KeySource | None = Field(None, description="Private key of type ecdsa")
    rsa: KeySource | None = Field(None, description="Private key of type rsa")

    @property
    def sources(self) -> dict[KeyKind, KeySource]:
        """Those that are given."""
        found = {kind: getattr(self, kind) for kind in KEY_KINDS}
        return {kind: source for kind, source in found.items() if source}
