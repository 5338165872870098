"""The installer's own loader reads our preseeds, in a chroot of its netboot initrd: no boot, a second each.

Needs root for chroot and device nodes, and the Debian archive for the initrd.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from builder.preseed.installer_log import read_answers
from builder.profile.model import Guest
from builder.xen.adopt.adoption import adopt
from tests.adoption import evidence_of
from tests.guests import FULL, HOSTILE, answers, guest, rendered, sample_guests
from tests.media import netboot_media

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot into the initrd needs root"),
]
# As preseed_location in preseed-common: under a frontend, from a script that has the confmodule already.
_LOAD = """#!/bin/sh
. /usr/share/debconf/confmodule
debconf-set-selections /preseed.cfg
echo $? >/status
"""
_DATABASES = ("questions.dat", "passwords.dat")


@dataclass(frozen=True)
class Initrd:
    """An unpacked initrd whose templates are in its debconf."""

    suite: str
    root: Path

    def load(self, preseed: str) -> tuple[int, dict[str, tuple[str, bool]]]:
        """The loader's exit status, and question -> value and whether it counts as seen."""
        for name in _DATABASES:
            shutil.copy(self.root / "pristine" / name, self.root / "var/lib/cdebconf" / name)
        (self.root / "preseed.cfg").write_text(preseed)
        (self.root / "status").unlink(missing_ok=True)
        self.run("debconf -o d-i /load.sh")
        return int((self.root / "status").read_text()), dict(self._questions())

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command under the initrd's own shell."""
        return subprocess.run(
            ["chroot", str(self.root), "/bin/sh", "-c", command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "none", "TERM": "dumb"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _questions(self) -> Iterator[tuple[str, tuple[str, bool]]]:
        for name in _DATABASES:
            for stanza in (self.root / "var/lib/cdebconf" / name).read_text().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
                if "Name" in fields:
                    yield fields["Name"], (fields.get("Value", ""), "seen" in fields.get("Flags", ""))


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def initrd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Initrd:
    """Verified media; what this clone has in its cache is not fetched again."""
    suite = str(request.param)
    root = tmp_path_factory.mktemp(suite)
    media = netboot_media(suite, root)
    tree = root / "tree"
    tree.mkdir()
    unpack = ["cpio", "--extract", "--make-directories", "--quiet"]
    subprocess.run(unpack, cwd=tree, input=gzip.decompress(media.initrd.path.read_bytes()), check=True)
    unpacked = Initrd(suite, tree)
    assert unpacked.run("debconf-loadtemplate d-i /var/lib/dpkg/info/*.templates").returncode == 0
    (tree / "load.sh").write_text(_LOAD)
    (tree / "load.sh").chmod(0o755)
    (tree / "pristine").mkdir()
    for name in _DATABASES:
        shutil.copy(tree / "var/lib/cdebconf" / name, tree / "pristine" / name)
    return unpacked


def expect_all_answers(initrd: Initrd, one: Guest) -> None:
    text = rendered(one).text
    status, questions = initrd.load(text)
    assert status == 0
    meant = {question: (value, True) for question, (_owner, _type, value) in answers(text).items()}
    assert len(meant) > 40
    assert {question: questions.get(question) for question in meant} == meant


VARIANTS: dict[str, dict[str, Any]] = {
    "everything": FULL,
    "accounts": {"users": FULL["users"], "root": FULL["root"]},
    "PVH with LVM": {"type": "pvh", "disk": {"method": "lvm", "recipe": "atomic"}},
    "two NICs": {"nics": [{"bridge": "a"}, {"bridge": "b", "ipv4": {"address": "192.0.2.2/24"}}]},
    "letters": {"users": [{"name": "ann", "full_name": HOSTILE["letters"]}]},
}


@pytest.mark.parametrize("one", sample_guests(), ids=lambda one: one.name)
def test_the_installer_holds_every_answer_of_a_sample_guest(one: Guest, initrd: Initrd) -> None:
    expect_all_answers(initrd, one.model_copy(update={"suite": initrd.suite}))


@pytest.mark.parametrize("name", VARIANTS)
def test_the_installer_holds_every_answer_of_other_guests(name: str, initrd: Initrd) -> None:
    expect_all_answers(initrd, guest(VARIANTS[name], suite=initrd.suite))


def test_free_texts_reach_the_installer_as_they_are(initrd: Initrd) -> None:
    values: dict[str, str] = {}
    for number, value in enumerate(HOSTILE.values()):
        try:
            guest(debconf=[{"question": f"test/q{number}", "value": value}])
        except ValueError:
            continue
        values[f"test/q{number}"] = value
    assert len(values) > 20
    one = guest(debconf=[{"question": question, "value": value} for question, value in values.items()])
    status, questions = initrd.load(rendered(one).text)
    assert status == 0
    assert {question: questions.get(question, ("", False))[0] for question in values} == values


def test_answers_have_the_types_of_their_questions(initrd: Initrd) -> None:
    """Of those whose templates are in the initrd; the loader itself takes any type."""
    known: dict[str, str] = {}
    for stanza in (initrd.root / "var/lib/cdebconf/templates.dat").read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        known[fields.get("Name", "")] = fields.get("Type", "")
    given = {question: kind for question, (_owner, kind, _value) in answers(rendered(guest(FULL)).text).items()}
    shared = given.keys() & known.keys()
    assert len(shared) > 15
    assert {question: given[question] for question in shared} == {question: known[question] for question in shared}


@pytest.mark.parametrize("one", [*sample_guests(), guest(FULL)], ids=lambda one: one.name)
def test_the_installers_shell_can_read_every_script_and_has_its_programs(one: Guest, initrd: Initrd) -> None:
    files = rendered(one).files
    for path, text in files.items():
        place = initrd.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if path.endswith((".sh", ".installer")):
            done = initrd.run(f"sh -n {path}")
            assert (done.returncode, done.stderr) == (0, ""), path
    for program in ("logger", "cat", "cp", "cut", "sed", "mkdir", "rm", "chroot", "in-target"):
        assert initrd.run(f"command -v {program}").returncode == 0, program


def test_an_adoption_reads_the_installers_own_database(initrd: Initrd) -> None:
    """questions.dat, as the installer writes it, tells an adoption what the preseed told the installer."""
    one = Guest.model_validate({**FULL, "media": "netboot", "suite": initrd.suite})
    text = rendered(one).text
    assert initrd.load(text)[0] == 0
    database = (initrd.root / "var/lib/cdebconf/questions.dat").read_text()
    from_database, from_preseed = (
        adopt(replace(evidence_of(one), answers=read_answers(answered, "test"))) for answered in (database, text)
    )
    assert from_database.values() == from_preseed.values()
    assert from_database.values()["timezone"] == "Europe/Berlin"
    assert "$6$" not in str(read_answers(database, "test"))
