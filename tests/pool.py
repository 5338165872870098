"""Files of the Debian mirror that apt uses here, for tests that ask the real archive."""

from __future__ import annotations

import hashlib
import lzma
import re
import subprocess
import urllib.request


def fetched(path: str) -> bytes:
    """A file of the mirror, by its path below the archive's root."""
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    url = shown.stdout.split()[0] + path
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - apt's own mirror
        return bytes(answer.read())


def source_tar(suite: str, package: str) -> bytes:
    """The native source of a package, of the size and digest that the suite's Sources index names."""
    index = lzma.decompress(fetched(f"dists/{suite}/main/source/Sources.xz")).decode()
    begin = index.index(f"\nPackage: {package}\n") + 1
    stanza = index[begin : index.index("\n\n", begin)]
    sums = stanza.partition("Checksums-Sha256:")[2]
    digest, size, name = next(iter(re.findall(r"^ ([0-9a-f]{64}) ([0-9]+) (\S+\.tar\.xz)$", sums, re.MULTILINE)))
    folder = re.findall(r"^Directory: (\S+)$", stanza, re.MULTILINE)[0]
    data = fetched(f"{folder}/{name}")
    assert (len(data), hashlib.sha256(data).hexdigest()) == (int(size), digest)
    return data
