"""apt's own configuration as text: which mirror its sources name, and which proxy its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from debian.deb822 import Deb822

# Types of a one-line entry, and what its options may look like: sources.list(5).
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)*)")
_OPTION = re.compile(r'(?P<name>[^\s"]+?)\s+"(?P<value>(?:[^"\\]|\\.)*)";')
_NO = {"no", "false", "without", "off", "disable", "0"}


@dataclass(frozen=True, slots=True)
class AptSource:
    """One enabled `deb` entry of apt's sources."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""

    @property
    def is_debian(self) -> bool:
        """Whether it looks like Debian's main archive: signed by its keyring or named like it, no side suite."""
        plain = any(re.fullmatch(r"[a-z]+", suite) for suite in self.suites)
        named = any("debian" in urlsplit(uri.partition("+")[2] or uri).path.split("/") for uri in self.uris)
        listed = any(uri.startswith("mirror+") and "debian" in uri for uri in self.uris)
        return plain and "main" in self.components and ("debian-archive" in self.signed_by or named or listed)


def parse_one_line(text: str) -> Iterator[AptSource]:
    """The entries of a sources.list; a line that is none is passed over, as apt will have said so already."""
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.partition("#")[0].strip()):
            options = match["options"] or ""
            signed_by = re.search(r"signed-by=(\S+)", options)
            yield AptSource(
                (match["uri"],),
                (match["suite"],),
                tuple(match["components"].split()),
                signed_by[1] if signed_by else "",
            )


def parse_deb822(text: str) -> Iterator[AptSource]:
    """The enabled entries of a .sources file."""
    for stanza in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        fields = {name: stanza.get(name, "").split() for name in ("Types", "URIs", "Suites", "Components")}
        if "deb" in fields["Types"] and stanza.get("Enabled", "yes").strip().lower() not in _NO:
            yield AptSource(
                tuple(fields["URIs"]),
                tuple(fields["Suites"]),
                tuple(fields["Components"]),
                stanza.get("Signed-By", "").strip(),
            )


def debian_uris(sources: Iterable[AptSource]) -> Iterator[str]:
    """URIs of Debian's main archive, those signed by its own keyring first, each group in apt's order."""
    mains = [source for source in sources if source.is_debian]
    for source in sorted(mains, key=lambda source: "debian-archive" not in source.signed_by):
        yield from source.uris


def first_listed(text: str) -> str:
    """The first mirror of a `mirror+file:` list: a URI, then perhaps options (apt-transport-mirror(1))."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return next((words[0] for words in lines if words and is_web(words[0])), "")


def is_web(uri: str) -> bool:
    """Whether it can be fetched as it stands: http or https."""
    return urlsplit(uri).scheme in {"http", "https"}


def parse_options(text: str) -> dict[str, str]:
    """`apt-config dump` as a mapping; names in small letters, as apt does not care; the last of a name counts."""
    return {match["name"].lower(): match["value"] for match in _OPTION.finditer(text)}


def proxy_option(options: Mapping[str, str], *, scheme: str, host: str) -> str:
    """What apt does for this host: a proxy's URL, `DIRECT`, or nothing when it says nothing (apt.conf(5))."""
    for name in (f"acquire::{scheme}::proxy::{host}", f"acquire::{scheme}::proxy", "acquire::http::proxy"):
        if value := options.get(name, "").strip():
            return "DIRECT" if value.upper() == "DIRECT" else value
    return ""


def proxy_program(options: Mapping[str, str], *, scheme: str) -> list[str]:
    """The program that apt asks for a proxy (auto-apt-proxy, squid-deb-proxy-client), as argv; empty for none."""
    for name in (f"acquire::{scheme}::proxy-auto-detect", f"acquire::{scheme}::proxyautodetect"):
        if value := options.get(name, "").strip():
            return shlex.split(value)
    return []
