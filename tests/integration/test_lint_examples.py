"""Debian's own example preseeds, out of the installation guide's verified source, have nothing wrong that matters."""

from __future__ import annotations

import io
import re
import tarfile
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from builder.findings import Severity
from builder.host.catalogue import shipped_catalogue, shipped_suites
from builder.host.site import Site
from builder.host.store import Store
from builder.media.asking import find_sources
from builder.media.mirror import SOURCES
from builder.media.netboot import index_path
from builder.media.packages import unpack_index
from builder.preseed.given import Given
from builder.preseed.lint import lint
from builder.preseed.syntax import PreseedFile, parse_preseed
from builder.progress import Silence
from builder.workflows.access import Access, Terms

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]
GUIDE = "installation-guide"
_STANZA = re.compile(rb"^Package: installation-guide\n(?:.+\n)*?Version: (.+)\n(?:.+\n)*", re.MULTILINE)
_ENTITIES = {"archive-mirror": "http.us.debian.org", "kernelpackage": "linux-image", "gt": ">", "lt": "<", "amp": "&"}


class Examples(HTMLParser):
    """The texts of `<informalexample role="example">` for amd64, as the guide's build/preseed.pl takes them."""

    def __init__(self, suite: str) -> None:
        super().__init__(convert_charrefs=False)
        self.suite, self.text = suite, ""
        self._open: list[tuple[str, bool, bool]] = []  # tag, whether it is left out, whether it is an example

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        arch = (values.get("arch") or "x86").replace("x86", "amd64")
        left_out = arch not in {"amd64", "any-amd64", "linux-any"} or values.get("condition") not in {None, self.suite}
        example = tag == "informalexample" and values.get("role") == "example"
        self._open.append((tag, left_out, example))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(left_out for _tag, left_out, _example in self._open):
            started = self.text.endswith("\n") or not self.text
            if any(example for _tag, _left_out, example in self._open):
                self.text += data.lstrip() if started else data

    def handle_entityref(self, name: str) -> None:
        self.handle_data(_ENTITIES.get(name, self.suite))


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def example(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """A suite and its example, every answer that is commented out left so."""
    suite: str = request.param
    with Access(Store(Site(ROOT).cache), Terms(), progress=Silence(), now=datetime.now(UTC)) as access:
        archive = access.suite(suite)
        path = index_path(archive.release, SOURCES)
        blob = archive.listed(path, by_hash=True)
        with blob.path.open("rb") as packed, unpack_index(packed, path) as index:
            stanza = _STANZA.search(index.read())
        assert stanza
        source = find_sources(io.BytesIO(stanza[0]), {GUIDE: stanza[1].decode()})[GUIDE]
        url = access.mirror.file(source.filename)
        tar = access.fetcher.download(url, digest=source.digest, store=access.store, what=GUIDE)
    with tarfile.open(tar.path) as files:
        member = next(one for one in files if one.name.endswith("/en/appendix/preseed.xml"))
        stream = files.extractfile(member)
        assert stream
        parser = Examples(suite)
        parser.feed(stream.read().decode())
    return suite, parser.text.encode()


def lint_codes(file: PreseedFile, suite: str) -> dict[Severity, set[str]]:
    others = tuple(shipped_catalogue(other) for other in shipped_suites() if other != suite)
    found: dict[Severity, set[str]] = {severity: set() for severity in Severity}
    for finding in lint(file, "example-preseed.txt", given=Given(shipped_catalogue(suite), others)):
        found[finding.severity].add(finding.code)
    return found


def test_the_example_has_no_error_and_no_warning(example: tuple[str, bytes]) -> None:
    suite, data = example
    file = parse_preseed(data)
    assert len(file.entries) > 30
    found = lint_codes(file, suite)
    assert not found[Severity.ERROR]
    assert not found[Severity.WARNING]


def test_every_answer_of_the_example_alone_has_no_error(example: tuple[str, bytes]) -> None:
    """Those that are commented out, too, each in a file of its own, for many exclude each other."""
    suite, data = example
    blocks = re.findall(rb"^#?((?:d-i|tasksel|popularity-contest) \S+/(?:.*\\\n)*.*\n)", data, re.MULTILINE)
    entries = [re.sub(rb"^#", b"", block, flags=re.MULTILINE) for block in blocks]
    assert len(entries) > 100
    errors = {entry: lint_codes(parse_preseed(entry), suite)[Severity.ERROR] for entry in entries}
    assert {entry: codes for entry, codes in errors.items() if codes} == {}
