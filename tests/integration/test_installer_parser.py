"""Our reading of preseed files against the installer's own loader and cdebconf, run in its netboot initrd.

DOMU_FILES=5000 makes the comparison of made-up files as large as that; docs/preseed-syntax.md has such a run.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.preseed.loader import load
from builder.preseed.syntax import Broken, Fault, parse_preseed
from tests.debconf import LOADER, NetbootRoot, Verdict
from tests.media import netboot_media

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="the chroot into the installer needs root"),
]
ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "tests" / "data" / "grammar-cases.json").read_text())
BATCH = 25
BATCHES = max(int(os.environ.get("DOMU_FILES", "200")) // BATCH, 1)
# preseed-common 1.117 and 1.125 have the same script; another one asks for this page's comparison to be read anew.
KNOWN_LOADER = "20749e6d5f481d2abcdf78f1b414ec364a8a9de680147a613b8f4a6cbf5c054b"


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def installer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NetbootRoot:
    """The netboot installer of each suite, from verified media, unpacked."""
    root = tmp_path_factory.mktemp("site")
    return NetbootRoot(netboot_media(request.param, root).initrd.path, root / "installer")


def foretold(data: bytes) -> tuple[bool, dict[bytes, tuple[bytes, bool]]]:
    """What we say of a file, as the installer shows it."""
    loaded = load(parse_preseed(data))
    return loaded.aborts, {raw(answer.question): (raw(answer.value), answer.seen) for answer in loaded.answers}


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def seen(verdict: Verdict) -> tuple[bool, dict[bytes, tuple[bytes, bool]]]:
    return verdict.status != 0, dict(verdict.answers)


def test_the_loader_is_the_one_that_was_read(installer: NetbootRoot) -> None:
    assert hashlib.sha256((installer.root / LOADER).read_bytes()).hexdigest() == KNOWN_LOADER


def test_recorded_cases_are_what_the_installer_does(installer: NetbootRoot) -> None:
    files = [case["input"].encode("latin-1") for case in CASES if not case["case"].startswith("long_")]
    files += [b"d-i a/b string " + b"x" * size + b"\n" for size in (9000, 70_000, 200_000)]
    for data, verdict in zip(files, installer.load(files), strict=True):
        assert foretold(data) == seen(verdict), data[:200]


HAND_MADE = [
    b"",
    b"\n",
    b"#\n# c",
    b"o a/b string x \\\n\\\ny\n",
    b"\\\no a/b string y\n",
    b"o a/b string x\\\\\ny\n",
    b"o a/b string x \\\n-n\n",
    b"o a/b string x \\\n-e\n",
    b"o a/b string x \\\n-nEe\n",
    b"o a/b string x \\\n -n\n",
    b"o a/b string x \\\n-no\n",
    b"-n\n",
    b"-e a/b string v\n",
    b"o a/b -n\no a/c string -n\no a/d -n -n\n",
    b"o a/b string x \\\r\n  y\r\no a/c string\r\n",
    b"\r# comment\no a/b string x\n",
    b"o a/b string v\0#c\nx \n",
    b"o a/b string v\0o a/c string w\0\n",
    b"o a/b \no a/c string x\n",
    b"o a/b string \no a/b seen \no a/b seen false x\no a/b seen nonsense\n",
    b"o a/b seen true\no a/b string v\n",
    b"o A/b string 1\no a/b string 2\no a string 3\no a/b/c string 4\n",
    b"o a/b string x\\ny \\t `id` $HOME ${x} 'q' \"q\" !x ~ {a,b} * ? [a] \\\\ x\n",
    b"o a/b string " + bytes(range(0x80, 0x100)) + b"x\n",
    b"o a/b string " + bytes(sign for sign in range(1, 0x80) if sign != 10) + b"\n",
    *(b"o a/b" + bytes([sign]) + b"c string x" + bytes([sign]) + b"\n" for sign in range(0x80, 0x90)),
    *(
        b"o" + sign + b"a/b" + sign + b"string" + sign + b"v" + sign + b"\n"
        for sign in (b"\t", b"\v", b"\f", b"\r", b" \t")
    ),
    b"o debian-installer/dummy string x\no x' string y\no \"x string z\no $x string d\no -x string m\n",
    b"o # string x\no #a string y\no a/b string # c\n",
    b"o a/b string /zz* /zz?\no /zz*/x string y\n[zz] a/c string [a-z]\n",
]


def test_hand_made_files(installer: NetbootRoot) -> None:
    for data, verdict in zip(HAND_MADE, installer.load(HAND_MADE), strict=True):
        aborts, answers = seen(verdict)
        answers.pop(b"debian-installer/dummy", None)
        told_aborts, told = foretold(data)
        told.pop(b"debian-installer/dummy", None)
        assert (told_aborts, told) == (aborts, answers), data


def test_a_continuation_of_one_word_is_expanded_as_a_pattern_of_files(installer: NetbootRoot) -> None:
    """The one thing that the text alone does not tell; the linter names such lines."""
    one, several = installer.load(
        [b"o a/b string rm \\\n/etc/cdebconf.c*\n", b"o a/b string rm \\\n/*\no a/c string x\n"]
    )
    assert seen(one) == (False, {b"a/b": (b"rm /etc/cdebconf.conf", True)})
    assert seen(several) == (True, {b"a/b": (b"rm /bin", True)})


def test_the_log_that_the_installed_system_gets_is_the_joined_lines(installer: NetbootRoot) -> None:
    (verdict,) = installer.load([b"# c\no a/b  string  x \\\n  y  \nd-i a/c string\r\n"])
    assert verdict.log == b"o a/b  string  x y  \nd-i a/c string\n"


GET = """#!/bin/sh
. /usr/share/debconf/confmodule
for question in a/b a/c; do
    db_get "$question"
    echo "$question: $RET" >>/oracle/got
done
"""


def test_a_backslash_and_n_become_a_newline_once_the_database_was_read_again(installer: NetbootRoot) -> None:
    """L125: so it is with a preseed in the initrd, which a debconf of its own loads and saves."""
    installer.load([b"o a/b string x\\ny z\no a/c string w\n"])
    script = installer.root / "oracle" / "get"
    script.write_text(GET)
    script.chmod(0o755)
    installer.run("cd /; debconf -o d-i /oracle/get || true")
    # The rest of the value was taken for the status of the next command, whose answer is never reached.
    assert (installer.root / "oracle" / "got").read_bytes() == b"a/b: x\n"


# `*`, `?` and `[` stand only where no file of the installer matches: see above.
SIGNS = [*b" \t\n\r\v\f\0\\#-neEabz/.\xc2\xa0\x81\x88\xff"]
WORDS = [
    *(b"d-i ", b"o ", b"a/b ", b"a/b", b"string ", b"String ", b"seen ", b"true", b"false", b"d-i a/b string "),
    *(b"o a/d ", b"/zz*", b"zz?", b"[zz]", b"x", b"-n", b"-e", b"\\\n", b" \\\n", b"\\ \n", b"\\", b"\n", b"\n", b" "),
    *(b"\t", b"\r\n", b"\r", b"\0", b"# c\n", b" # c\n", b"#", b"\n\n", b"\\\n# c\n", b"\\n", b"$x", b"`", b"'", b'"'),
]
BLANKS = st.sampled_from([b" ", b" ", b" ", b"  ", b"\t", b" \t ", b"\v", b" \r "])
NAMES = st.sampled_from([b"a/b", b"a/c", b"a/d", b"A/b", b"a", b"a/b/c", b"x'", b"-n", b"#", b"\xc2\xa0", b"a\x81b"])
VALUES = st.one_of(
    st.sampled_from(
        [b"", b"v", b"true", b"false", b"two  words\t3", b"v \t", b"-n", b"x\\ny", b"$x `y` 'z'", b"# c", b"/zz* ?q"]
    ),
    st.binary(max_size=12).map(lambda data: data.translate(None, b"*?[\n\0")),
)
ENDS = st.sampled_from([b"\n"] * 8 + [b" \n", b"\r\n", b"\0", b"\\\n", b" \\\n", b" \\ \n", b"\\\r\n", b"\\\\\n"])
entries = st.tuples(
    st.sampled_from([b"", b"", b"", b" ", b"\t", b"\xef\xbb\xbf"]),
    st.sampled_from([b"d-i", b"d-i", b"o", b"-e", b"#x", b"\x82"]),
    BLANKS,
    NAMES,
    BLANKS,
    st.sampled_from([b"string", b"string", b"select", b"String", b"seen", b"seen", b"text\xc2\xa0"]),
    BLANKS,
    VALUES,
    ENDS,
).map(b"".join)
lines = st.one_of(
    entries,
    entries,
    entries,
    entries,
    st.sampled_from(
        [b"# c\n", b"\n", b" \t\n", b"  # in dented comment\n", b"o a/e string\n", b"-n\n", b"  more \\\n", b"\\\n"]
    ),
)
files = st.one_of(
    st.lists(lines, min_size=4, max_size=12).map(b"".join),
    st.lists(lines, min_size=4, max_size=12).map(b"".join),
    st.lists(st.sampled_from(WORDS), max_size=25).map(b"".join),
    st.lists(st.sampled_from(SIGNS), max_size=40).map(bytes),
    st.binary(max_size=80).map(lambda data: data.translate(None, b"*?[")),
)


def test_made_up_files(installer: NetbootRoot) -> None:
    counts = {"files": 0, "lines": 0, "answers": 0, "aborts": 0, "unfinished": 0}

    @settings(max_examples=BATCHES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(files, min_size=BATCH, max_size=BATCH))
    def compare(batch: list[bytes]) -> None:
        for data, verdict in zip(batch, installer.load(batch), strict=True):
            assert foretold(data) == seen(verdict), data
            count(data, counts)

    compare()
    print(f"\n{installer.root.name}: {counts}")


def count(data: bytes, counts: dict[str, Any]) -> None:
    file = parse_preseed(data)
    loaded = load(file)
    counts["files"] += 1
    counts["lines"] += len(file.lines)
    counts["answers"] += len(loaded.answers)
    counts["aborts"] += loaded.aborts
    counts["unfinished"] += any(isinstance(item, Broken) and item.fault is Fault.UNFINISHED for item in file.items)
