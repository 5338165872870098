"""The manifest of a build: every input and every output with its digest, and the key that both follow from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builder.errors import BuilderError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Output:
    """An artefact: its SHA-256 and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`inputs` is plain JSON data without secrets, clocks or paths; `outputs` maps a path below the build folder."""

    guest: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Output]

    @property
    def key(self) -> str:
        """The identity of the build: the SHA-256 of its inputs."""
        return build_key(self.guest, self.inputs)


def canonical(data: Any) -> bytes:
    """JSON that is the same for the same data: sorted keys, ASCII, no blanks."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest(data: bytes | str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def build_key(guest: str, inputs: Mapping[str, Any]) -> str:
    """The SHA-256 over the manifest's format, the guest's name and every input."""
    return digest(canonical({"format": FORMAT, "guest": guest, "inputs": inputs}))


def render_manifest(manifest: Manifest) -> str:
    """`manifest.json`, laid out for reading, keys sorted."""
    data = {
        "format": FORMAT,
        "guest": manifest.guest,
        "key": manifest.key,
        "inputs": manifest.inputs,
        "outputs": {name: {"sha256": out.sha256, "size": out.size} for name, out in manifest.outputs.items()},
    }
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def parse_manifest(text: str, name: str) -> Manifest:
    """Read `manifest.json` back; BuilderError when it is none, of another format, or its key is not its inputs'."""
    try:
        data = json.loads(text)
        outputs = {path: Output(str(out["sha256"]), int(out["size"])) for path, out in data["outputs"].items()}
        manifest = Manifest(str(data["guest"]), dict(data["inputs"]), outputs)
        fits = data["format"] == FORMAT and data["key"] == manifest.key
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuilderError(f"{name} is no manifest of a build: {error}", "build again with --force") from error
    if not fits:
        raise BuilderError(f"{name} was changed or is of another version", "build again with --force")
    return manifest
