"""Debian's own example preseeds, out of the installation guide of each suite, before the linter."""

from __future__ import annotations

import html
import re
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePath

import pytest

from builder.findings import Finding, Severity
from builder.host.catalogue import shipped_catalogue
from builder.preseed.given import Given
from builder.preseed.lint import lint
from builder.preseed.syntax import parse_preseed
from builder.profile.model import Suite
from tests.pool import source_tar

pytestmark = pytest.mark.network
OTHER: dict[Suite, Suite] = {"bookworm": "trixie", "trixie": "bookworm"}
# The guide's own names for things, which its build/preseed.pl fills in.
NAMES = {"archive-mirror": "mirror.example.org", "kernelpackage": "linux-image"}
# A setting that is commented out; remarks of several words have no question with a slash in the second place.
OFFERED = re.compile(r"# ?(\S+ [a-z0-9-]+/\S+(?: .*|\\)?)")


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def example(request: pytest.FixtureRequest) -> tuple[Suite, str]:
    """The file that the guide offers for download, made of its appendix on preseeding."""
    suite: Suite = request.param
    with tarfile.open(fileobj=BytesIO(source_tar(suite, "installation-guide"))) as archive:
        member = next(it for it in archive if PurePath(it.name).parts[-3:] == ("en", "appendix", "preseed.xml"))
        stream = archive.extractfile(member)
        assert stream
        appendix = stream.read().decode()
    return suite, example_text(appendix, suite)


def example_text(appendix: str, suite: Suite) -> str:
    """What stands in the appendix' examples, for Linux on a PC."""
    blocks = re.findall(r'<informalexample role="example">\s*<screen>\s*(.*?)</screen>', appendix, re.DOTALL)
    text = re.sub(r'<phrase\s+arch="hurd-any">.*?</phrase>', "", "\n".join(blocks), flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", text)
    for name, value in {**NAMES, "releasename": suite}.items():
        text = text.replace(f"&{name};", value)
    return "#_preseed_V1\n" + html.unescape(text)


def offered(text: str) -> Iterator[str]:
    """Each setting that is commented out, with the lines that continue it, as it is once the `#` are removed."""
    lines = iter(text.split("\n"))
    for line in lines:
        if match := OFFERED.fullmatch(line):
            setting = [match[1]]
            while setting[-1].endswith("\\"):
                setting.append(next(lines).removeprefix("#"))
            yield "\n".join(setting) + "\n"


def findings(text: str, suite: Suite) -> list[Finding]:
    given = Given(catalogue=shipped_catalogue(suite), others=(shipped_catalogue(OTHER[suite]),))
    return list(lint(parse_preseed(text.encode()), given=given))


def shown(found: list[Finding], worst: Severity) -> list[str]:
    return [f"{finding.code} {finding.message}" for finding in found if finding.severity <= worst]


def test_the_example_has_nothing_but_notes(example: tuple[Suite, str]) -> None:
    suite, text = example
    assert len(parse_preseed(text.encode()).entries) > 30
    assert "&" not in re.sub("&&", "", text)
    assert shown(findings(text, suite), Severity.WARNING) == []


def test_no_setting_that_the_example_offers_is_an_error(example: tuple[Suite, str]) -> None:
    suite, text = example
    settings = list(offered(text))
    assert len(settings) > 90
    wrong = {setting: shown(findings(setting, suite), Severity.ERROR) for setting in settings}
    assert {setting: found for setting, found in wrong.items() if found} == {}
