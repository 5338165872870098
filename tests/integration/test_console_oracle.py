"""The installer's own text frontend asks every question of the catalogue on a terminal, and each is named by its texts.

In a chroot of the netboot initrd, no boot; needs root for the chroot, and the Debian archive for the initrd.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.preseed.catalogue import Catalogue, Question
from builder.preseed.console import Console, Prompt
from builder.workflows.look_up import look_up
from tests.debconf import ENVIRONMENT, NetbootRoot
from tests.media import netboot_media

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot into the initrd needs root"),
]
SILENCE, LIMIT = 0.01, 500  # seconds without a word that make a wait; silences after which none is recognised
_VARIABLE = re.compile(r"\$\{[^}]*\}")
ASK = """#!/bin/sh
. /usr/share/debconf/confmodule
db_title "A stage of the installer"
while read -r name <&9; do
    db_fset "$name" seen false
    db_input critical "$name" || echo "$name is not shown" >>/oracle/unshown
    db_go || echo "$name fails" >>/oracle/unshown
done 9</oracle/names
"""
# Not shown by any frontend, or by plugins of their own.
SHOWN = {"select", "multiselect", "boolean", "string", "password", "note", "error"}


def questions_of(catalogue: Catalogue) -> list[Question]:
    """All that are shown with a text of their own."""
    return [
        one
        for one in catalogue.questions
        if one.installer
        and one.type in SHOWN
        and one.provenance != "table"
        and _VARIABLE.sub("", one.description).strip()
    ]


def templates_of(questions: list[Question]) -> str:
    """A templates file; where choices come at run time two stand in, and for a variable its value."""
    return "\n".join(_template(one) for one in questions)


def _template(one: Question) -> str:
    lines = [f"Template: {one.name}", f"Type: {one.type}"]
    if one.type in {"select", "multiselect"}:
        lines.append("Choices: first choice, second choice")
    lines.append(f"Description: {one.description}")
    lines += [f" {line}" if line else " ." for line in one.extended.split("\n")] if one.extended else []
    return _VARIABLE.sub("some value", "\n".join(lines)) + "\n"


@contextmanager
def asking(root: NetbootRoot) -> Iterator[int]:
    """The frontend on a terminal of its own; what it reads and writes."""
    ours, its = pty.openpty()
    # debconf spins when its terminal is gone; should this process be killed, `timeout` ends it.
    argv = ["timeout", "--foreground", "300", "chroot", str(root.root), "/usr/bin/debconf", "-o", "d-i", "/oracle/ask"]
    environment = ENVIRONMENT | {"DEBIAN_FRONTEND": "text", "TERM": "dumb"}
    process = subprocess.Popen(argv, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True)
    os.close(its)
    try:
        yield ours
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def prompts(terminal: int, console: Console) -> Iterator[Prompt | None]:
    """Every wait, answered by what is a choice, a text and a key; None when nothing that is waited at is recognised."""
    answered, silences = False, 0
    while silences < LIMIT:
        ready, _, _ = select.select([terminal], [], [], SILENCE)
        if ready:
            try:
                piece = os.read(terminal, 1 << 16)
            except OSError:  # the other side has ended
                return
            console.feed(piece.decode())
            answered, silences = False, 0
        elif not answered and (prompt := console.waiting()):
            yield prompt
            os.write(terminal, b"1\n")
            answered = True
        else:
            silences += 1
    yield None


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_every_question_is_named_by_what_it_shows(suite: str, tmp_path: Path) -> None:
    catalogue = look_up(None, suite).catalogue
    questions = questions_of(catalogue)
    root = NetbootRoot(netboot_media(suite, tmp_path).initrd.path, tmp_path / "root")
    folder = root.root / "oracle"
    (folder / "templates").write_text(templates_of(questions))
    (folder / "names").write_text("".join(f"{one.name}\n" for one in questions))
    (folder / "ask").write_text(ASK)
    (folder / "ask").chmod(0o755)
    root.run("debconf-loadtemplate d-i /oracle/templates")
    with asking(root) as terminal:
        named = [prompt.names if prompt else () for prompt in prompts(terminal, Console(catalogue))]
    assert not (folder / "unshown").exists()
    wrong = {one.name: names for one, names in zip(questions, named, strict=True) if one.name not in names}
    assert not wrong
