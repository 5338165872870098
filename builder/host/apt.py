"""What apt on this machine uses: its Debian mirror, and the proxy or apt-cacher it goes through."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.errors import BuilderError
from builder.host.run import Runner
from builder.media.mirror import CACHER_PORT, Mirror, shown
from builder.media.sources import (
    AptSource,
    debian_uris,
    first_listed,
    is_web,
    parse_deb822,
    parse_one_line,
    parse_options,
    proxy_option,
    proxy_program,
)

ETC = Path("/etc/apt")
_PATIENCE = 3.0  # seconds for a cacher on this very machine
_HINT = "write one into profiles/site.yaml, as in mirror: http://mirror.example.org/debian"


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """The proxy to fetch through, None to go direct, and why: the end of a sentence."""

    url: str | None
    why: str

    def __str__(self) -> str:
        return f"through {shown(self.url)}: {self.why}" if self.url else f"going direct: {self.why}"


def find_mirror(runner: Runner, *, etc: Path = ETC) -> str:
    """The Debian mirror that apt uses: from its fetched lists, which know the origin, else from its sources.

    Raises BuilderError with what to write when apt names none, or there is no apt.
    """
    uris = [*_listed_uris(runner), *debian_uris(_sources(etc))]
    for uri in uris:
        if web := _web_uri(uri):
            return web.rstrip("/")
    seen = f"apt's sources in {etc} name only {', '.join(map(shown, uris))}" if uris else f"no Debian mirror in {etc}"
    raise BuilderError(f"mirror: auto found none: {seen}", _HINT)


def _listed_uris(runner: Runner) -> Iterator[str]:
    """Repositories whose Release apt has, of origin Debian; its label leaves out security and backports."""
    argv = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)",
        "Created-By: Packages",
    ]
    for line in _said(runner, argv).splitlines():
        origin, label, component, uri = [*line.split("|", 3), "", "", ""][:4]
        if (origin, label, component) == ("Debian", "Debian", "main"):
            yield uri


def _sources(etc: Path) -> Iterator[AptSource]:
    """Entries in the order in which apt reads them: sources.list, then sources.list.d by name."""
    paths = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for path in paths:
        with suppress(OSError, UnicodeDecodeError):  # absent, or not for us to read
            if path.suffix == ".list":
                yield from parse_one_line(path.read_text())
            elif path.suffix == ".sources":
                yield from parse_deb822(path.read_text())


def _web_uri(uri: str) -> str:
    """The URI when it is http or https; of a `mirror+file:` list, as Debian's cloud images have, its first."""
    kind, _plus, rest = uri.partition("+")
    if kind == "mirror" and rest.startswith("file:"):
        with suppress(OSError, UnicodeDecodeError):
            return first_listed(Path(unquote(urlsplit(rest.rstrip("/")).path)).read_text())
    return uri if is_web(uri) else ""


def find_proxy(runner: Runner, *, mirror: Mirror, port: int = CACHER_PORT) -> ProxyChoice:
    """The proxy for this mirror: apt's own, else an apt-cacher on this machine's `port`, else none."""
    if mirror.cacher:
        return ProxyChoice(None, f"the mirror's URL leads through the cacher {mirror.cacher} already")
    if asked := _apt_proxy(runner, mirror):
        return asked
    if urlsplit(mirror.url).scheme == "https":
        return ProxyChoice(None, "apt has no proxy, and an apt-cacher does not look into https")
    if name := find_cacher(port):
        return ProxyChoice(f"http://127.0.0.1:{port}", f"{name} answers on port {port}")
    return ProxyChoice(None, f"apt has no proxy and no apt-cacher answers on port {port}")


def _apt_proxy(runner: Runner, mirror: Mirror) -> ProxyChoice | None:
    scheme = urlsplit(mirror.url).scheme
    options = parse_options(_said(runner, ["apt-config", "dump"]))
    if argv := proxy_program(options, scheme=scheme):
        said = _said(runner, [*argv, mirror.url]).strip()
        if said and said != "DIRECT":
            return _given(said, f"apt's proxy finder {argv[0]} says so")
    given = proxy_option(options, scheme=scheme, host=mirror.host)
    if given == "DIRECT":
        return ProxyChoice(None, f"apt is told to use no proxy for {mirror.host}")
    return _given(given, "apt uses it") if given else None


def _said(runner: Runner, argv: list[str]) -> str:
    """What a program of apt's says; nothing where there is no apt."""
    try:
        return runner(argv).text
    except BuilderError:
        return ""


def _given(url: str, why: str) -> ProxyChoice:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise BuilderError(
            f"the proxy {shown(url)!r} is no http:// URL ({why})",
            "write one into profiles/site.yaml, as in proxy: http://192.0.2.1:3142, or proxy: none",
        )
    return ProxyChoice(parts.geturl().rstrip("/"), why)


def find_cacher(port: int) -> str:
    """The name of the apt-cacher that listens on this port of loopback; empty when none does, or another server.

    apt-cacher-ng names itself in the header Server of every answer, apt-cacher on its page.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/acng-report.html")
        answer = connection.getresponse()
        said = f"{answer.headers.get('Server', '')} {answer.read(1 << 16).decode(errors='replace')}".lower()
        if "apt-cacher ng" in said or "apt-cacher-ng" in said:
            return "apt-cacher-ng"
        return "apt-cacher" if "apt-cacher" in said else ""
    return ""
