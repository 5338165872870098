"""What was built of guests, held against what their profiles say now and against its own manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.host.digests import file_digest
from builder.host.site import Site
from builder.image.manifest import Manifest, parse_manifest
from builder.plan.rebuild import Build
from builder.units import Size
from builder.workflows.build import MANIFEST, own_inputs
from builder.workflows.payload import read_carried
from builder.workflows.render import Artefacts

_CHANGED = {
    "domu": "another version of domu built it",
    "mirror": "the mirror or the proxy changed",
    "templates": "a template changed",
    "initrd_files": "a file of initrd_files changed",
}


def read_build(site: Site, artefacts: Artefacts) -> Build | None:
    """What is in the guest's build folder, held against its profile and against its own manifest."""
    folder = site.build / artefacts.guest.name
    path = folder / MANIFEST
    try:
        manifest = parse_manifest(path.read_text(), str(path))
    except FileNotFoundError:
        return None
    inputs = own_inputs(artefacts, read_carried(site, artefacts.guest))
    reasons = (*differences(manifest, inputs), *_damage(manifest, folder))
    size = sum(output.size for output in manifest.outputs.values())
    digests = {name: output.sha256 for name, output in manifest.outputs.items()}
    return Build(str(folder), Size(size), digests, next(iter(reasons), ""), manifest.key)


def differences(manifest: Manifest, inputs: Mapping[str, object]) -> Iterator[str]:
    """Of a build's inputs and those of now, what differs, in words."""
    for name, value in inputs.items():
        if name not in manifest.inputs or manifest.inputs[name] != value:
            yield _CHANGED.get(name, "the profile changed")


def _damage(manifest: Manifest, folder: Path) -> Iterator[str]:
    for name, output in manifest.outputs.items():
        try:
            same = file_digest(folder / name) == (output.sha256, output.size)
        except FileNotFoundError:
            yield f"{name} is missing"
        else:
            if not same:
                yield f"{name} was changed after it was built"
