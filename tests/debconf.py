"""The installer's own preseed loader, run where it lives: in a chroot of the unpacked netboot initrd, under cdebconf."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOADER = "bin/debconf-set-selections"
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "DEBIAN_FRONTEND": "none"}
# The loader runs under a debconf that its caller started: called bare, confmodule starts one and its status is lost.
ONE = """#!/bin/sh
. /usr/share/debconf/confmodule
status=0
debconf-set-selections "$1" || status=$?
echo "$status" >/oracle/status
"""
ALL = """cd /
for file in /oracle/in/*; do
    cp /oracle/fresh/* /var/lib/cdebconf/
    rm -f /oracle/status
    : >/var/lib/preseed/log
    debconf -o d-i /oracle/one "$file" </dev/null >/dev/null 2>&1
    name=${file##*/}
    cat /var/lib/cdebconf/questions.dat >"/oracle/out/$name.questions"
    cat /oracle/status >"/oracle/out/$name.status"
    cat /var/lib/preseed/log >"/oracle/out/$name.log"
done
"""
FRESH = """cd /
debconf-loadtemplate d-i /var/lib/dpkg/info/di-utils.templates
cp /var/lib/cdebconf/* /oracle/fresh/
"""
DUMMY = b"debian-installer/dummy"  # the template of questions that the loader makes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the loader did with a file: its exit status, the answers it made with their seen flags, and its log."""

    status: int
    answers: Mapping[bytes, tuple[bytes, bool]]
    log: bytes


class NetbootRoot:
    """An unpacked netboot initrd; needs root for the chroot."""

    def __init__(self, initrd: Path, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        with gzip.open(initrd) as stream:
            argv = ["cpio", "--extract", "--make-directories", "--quiet", "--no-absolute-filenames"]
            subprocess.run(argv, input=stream.read(), cwd=root, check=True)
        for folder in ("oracle/in", "oracle/out", "oracle/fresh", "var/lib/cdebconf", "var/lib/preseed"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        one = root / "oracle" / "one"
        one.write_text(ONE)
        one.chmod(0o755)
        self.run(FRESH)

    def run(self, script: str) -> bytes:
        """What a script of the installer's shell prints; nothing of this process' environment reaches it."""
        argv = ["chroot", str(self.root), "/bin/sh", "-e", "-c", script]
        return subprocess.run(argv, env=ENVIRONMENT, capture_output=True, check=True).stdout

    def load(self, files: Sequence[bytes]) -> list[Verdict]:
        """Load each file into a database of its own."""
        for folder in ("in", "out"):
            shutil.rmtree(self.root / "oracle" / folder)
            (self.root / "oracle" / folder).mkdir()
        names = [f"{number:06}" for number in range(len(files))]
        for name, data in zip(names, files, strict=True):
            (self.root / "oracle" / "in" / name).write_bytes(data)
        if files:
            self.run(ALL)
        return [self._verdict(self.root / "oracle" / "out" / name) for name in names]

    def _verdict(self, out: Path) -> Verdict:
        answers = {}
        for stanza in out.with_suffix(".questions").read_bytes().split(b"\n\n"):
            fields = dict(line.split(b": ", 1) for line in stanza.split(b"\n") if b": " in line and line[:1] != b" ")
            if fields.get(b"Template") == DUMMY != fields[b"Name"]:
                answers[fields[b"Name"]] = (fields.get(b"Value", b""), b"Flags" in fields)
        return Verdict(int(out.with_suffix(".status").read_text()), answers, out.with_suffix(".log").read_bytes())
