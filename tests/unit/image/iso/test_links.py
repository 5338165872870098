"""Paths through symbolic links."""

from __future__ import annotations

import pytest

from builder.image.iso.links import resolve

LINKS = {
    "/debian": "./",
    "/dists/stable": "bookworm/",
    "/pool/x": "../dists/stable/Release/",
    "/root": "/dists/",
    "/a": "b/",
    "/b": "a/",
    "/out": "../../../etc/",
}


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param("/plain/file", "/plain/file", id="no link"),
        pytest.param("/dists/stable/Release", "/dists/bookworm/Release", id="a folder"),
        pytest.param("/debian/debian/dists/stable/Release", "/dists/bookworm/Release", id="several"),
        pytest.param("/pool/x", "/dists/bookworm/Release", id="a file, upwards"),
        pytest.param("/root/stable/Release", "/dists/bookworm/Release", id="from the root"),
        pytest.param("/a/file", None, id="in circles"),
        pytest.param("/out/passwd", "/etc/passwd", id="no higher than the root"),
    ],
)
def test_where_a_path_leads(path: str, target: str | None) -> None:
    assert resolve(path, LINKS) == target
