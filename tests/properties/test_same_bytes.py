"""Same key, same bytes: the same guest gives both again, and guests that differ in a byte differ in the key."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings

from builder.host.store import Store
from builder.image.initrd import InitrdPayload, segment
from builder.image.manifest import Manifest, parse_manifest, render_manifest
from builder.profile.model import Guest
from builder.workflows.build import inputs_of, texts_of
from builder.workflows.installer import InstallerMedia
from tests.guests import GUESTS, artefacts


def made(one: Guest) -> tuple[str, dict[str, str], bytes]:
    """Key, texts and initrd segment of a build, from nothing."""
    done = artefacts(one)
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        kernel, initrd = store.admit_bytes(b"kernel"), store.admit_bytes(b"initrd")
        manifest = Manifest(
            one.name, inputs_of(done, InstallerMedia(kernel, initrd, {"kernel": kernel.sha256}), {}), {}
        )
    assert parse_manifest(render_manifest(manifest), "manifest.json") == manifest
    files = {"/preseed.cfg": done.preseed.text, **done.preseed.files}
    front = segment({path: InitrdPayload(text.encode(), 0o600) for path, text in files.items()})
    return manifest.key, texts_of(done), front


@settings(max_examples=40, deadline=None)
@given(one=GUESTS)
def test_the_same_guest_gives_the_same_key_and_bytes(one: Guest) -> None:
    assert made(one) == made(Guest.model_validate(one.model_dump()))


@settings(max_examples=40, deadline=None)
@given(one=GUESTS, other=GUESTS)
def test_guests_that_differ_in_a_byte_differ_in_the_key(one: Guest, other: Guest) -> None:
    (key, *made_of_one), (other_key, *made_of_other) = made(one), made(other)
    assert (key == other_key) == (one == other)
    if made_of_one != made_of_other:
        assert key != other_key
