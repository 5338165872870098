"""One HTTP exchange on stdin and stdout: what QEMU's guestfwd starts for each connection of the installer.

Arguments: the mirror's URL and a folder to keep files in. The guest sees an archive at /debian and nothing else.
"""

from __future__ import annotations

import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> None:
    mirror, folder = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    method, path, *_ = sys.stdin.buffer.readline().decode("ascii", "replace").split() or ("", "")
    while sys.stdin.buffer.readline().strip():
        pass
    # As a proxy is asked, or as a server is.
    inside = path.partition("://")[2].partition("/")[2] if "://" in path else path.lstrip("/")
    body = fetch(mirror, inside.removeprefix("debian"), folder) if inside.startswith("debian/") else None
    status = "200 OK" if body is not None else "404 Not Found"
    head = f"HTTP/1.0 {status}\r\nContent-Length: {len(body or b'')}\r\nConnection: close\r\n\r\n"
    sys.stdout.buffer.write(head.encode() + (body or b"" if method == "GET" else b""))
    sys.stdout.buffer.flush()


def fetch(mirror: str, path: str, folder: Path) -> bytes | None:
    kept = folder / hashlib.sha256(path.encode()).hexdigest()
    if kept.exists():
        return kept.read_bytes()
    try:
        with urllib.request.urlopen(mirror + path, timeout=60) as answer:  # noqa: S310 (the mirror that apt uses)
            body = bytes(answer.read())
    except urllib.error.HTTPError:
        return None
    unfinished = kept.with_suffix(f".{id(body)}")
    unfinished.write_bytes(body)
    unfinished.replace(kept)
    return body


if __name__ == "__main__":
    main()
