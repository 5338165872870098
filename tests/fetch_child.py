"""One download in a process of its own: URL SHA256 SIZE STORE; prints `has PATH`, or the error."""

from __future__ import annotations

import sys
from pathlib import Path

from builder.errors import BuilderError
from builder.host.fetch import Fetcher
from builder.host.store import Store
from builder.media.release import Digest
from builder.progress import Silence


class Lines(Silence):
    """Says what there is to say, at once."""

    def say(self, text: str) -> None:
        print(f"says {text}", flush=True)


def main(url: str, sha256: str, size: str, root: str) -> int:
    with Fetcher(proxy=None, progress=Lines()) as fetcher:
        try:
            blob = fetcher.download(
                url, digest=Digest(sha256, int(size)), store=Store(Path(root), Lines()), what="the file"
            )
        except BuilderError as error:
            print(f"error {error.message}", flush=True)
            return 1
    print(f"has {blob.path}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
