"""What apt says is scripted; whether something is a cacher is asked of real servers on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.apt import ProxyChoice, find_cacher, find_mirror, find_proxy
from builder.host.run import LIMIT, Completed, Runner
from builder.media.mirror import Mirror
from tests.archive import Handler, Server, served

MIRROR = Mirror("http://mirror.example.org/debian")


class Apt:
    """A runner with an apt that says this; anything else is not installed."""

    def __init__(self, *, targets: str = "", config: str = "", finder: str | None = None) -> None:
        self._said = {"apt-get": targets, "apt-config": config}
        if finder is not None:
            self._said["/usr/bin/finder"] = finder
        self.ran: list[tuple[str, ...]] = []

    def __call__(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
    ) -> Completed:
        assert (stdin, limit, env) == (b"", LIMIT, None)
        self.ran.append(tuple(argv))
        if argv[0] not in self._said:
            raise BuilderError(f"the program {argv[0]!r} is not installed")
        return Completed(tuple(argv), 0, self._said[argv[0]].encode(), b"")


def no_apt(
    argv: Sequence[str], *, stdin: bytes = b"", limit: float = LIMIT, env: Mapping[str, str] | None = None
) -> Completed:
    raise BuilderError(f"the program {argv[0]!r} is not installed")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_fetched_lists_know_the_origin(etc: Path) -> None:
    apt = Apt(
        targets=(
            "Vendor|Vendor|main|https://apt.example.com/debian/\n"
            "Debian|Debian-Security|main|http://security.example.org/debian-security/\n"
            "Debian|Debian Backports|main|http://backports.example.org/debian/\n"
            "Debian|Debian|contrib|http://contrib.example.org/debian/\n"
            "Debian|Debian|main|file:/srv/mirror/\n"
            "Debian|Debian|main|http://plain-name.example.org/apt/\n"
        )
    )
    assert find_mirror(apt, etc=etc) == "http://plain-name.example.org/apt"


def test_without_lists_the_sources_are_read_in_apts_order(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://b-security.example.org/debian-security trixie-security main\n")
    (etc / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\nURIs: http://c.example.org/debian/\nSuites: trixie\nComponents: main\n"
    )
    (etc / "sources.list.d" / "another.list").write_text("deb http://a.example.org/debian trixie main\n")
    (etc / "sources.list.d" / "debian.sources.save").write_text("deb http://saved.example.org/debian trixie main\n")
    assert find_mirror(Apt(), etc=etc) == "http://a.example.org/debian"


def test_a_machine_without_apt_may_have_its_files(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://a.example.org/debian trixie main\n")
    assert find_mirror(no_apt, etc=etc) == "http://a.example.org/debian"


def test_a_list_of_mirrors_is_followed(etc: Path) -> None:
    (etc / "mirrors").mkdir()
    (etc / "mirrors" / "debian.list").write_text("https://cloud.example.org/debian\n")
    (etc / "sources.list.d" / "debian.sources").write_text(
        f"Types: deb\nURIs: mirror+file://{etc}/mirrors/debian.list\nSuites: trixie\nComponents: main\n"
    )
    assert find_mirror(Apt(), etc=etc) == "https://cloud.example.org/debian"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no Debian mirror in"),
        ("deb file:/srv/debian trixie main\n", "name only file:"),
        ("deb cdrom:[Debian]/debian trixie main\n", "name only cdrom:"),
        ("deb mirror+file:/nowhere/debian.list trixie main\n", "name only mirror"),
        ("deb tor+http://mirror.example.org/debian trixie main\n", r"name only tor\+http"),
    ],
    ids=["nothing", "a local folder", "a CD", "a list that is not there", "tor"],
)
def test_none_is_an_error_that_says_what_to_write(etc: Path, text: str, words: str) -> None:
    (etc / "sources.list").write_text(text)
    with pytest.raises(BuilderError, match=words) as caught:
        find_mirror(Apt(), etc=etc)
    assert "site.yaml" in caught.value.hint
    assert "mirror: http://mirror.example.org/debian" in caught.value.hint


def answering(header: str, page: bytes, status: int = 200) -> Iterator[Server]:
    def fault(handler: Handler, _body: bytes) -> None:
        handler.head(status, {"X-Server": header, "Content-Length": str(len(page))})
        handler.wfile.write(page)

    with served({}) as server:
        server.always("acng-report.html", fault)
        yield server


@pytest.fixture
def cacher() -> Iterator[Server]:
    yield from answering("", b"<title>Apt-Cacher NG maintenance page</title>", 406)


@pytest.fixture
def printer() -> Iterator[Server]:
    yield from answering("", b"<title>Printer status</title>")


def test_a_cacher_is_told_from_another_server(cacher: Server, printer: Server) -> None:
    assert find_cacher(cacher.server_port) == "apt-cacher-ng"
    assert find_cacher(printer.server_port) == ""


def test_a_closed_port_is_no_cacher(printer: Server) -> None:
    port = printer.server_port
    printer.server_close()
    assert find_cacher(port) == ""


def test_a_server_that_does_not_speak_http_is_no_cacher() -> None:
    def fault(handler: Handler, _body: bytes) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")
        handler.close_connection = True

    with served({}) as server:
        server.always("acng-report.html", fault)
        assert find_cacher(server.server_port) == ""


PROXY = 'Acquire::http::Proxy "http://cacher.example.org:3142/";\n'


@pytest.mark.parametrize(
    ("apt", "mirror", "url", "why"),
    [
        (Apt(config=PROXY), MIRROR, "http://cacher.example.org:3142", "apt uses it"),
        (
            Apt(config=PROXY + 'Acquire::http::Proxy::mirror.example.org "DIRECT";\n'),
            MIRROR,
            None,
            "no proxy for mirror.example.org",
        ),
        (Apt(config='Acquire::http::Proxy "cacher:3142";\n'), MIRROR, "http://cacher:3142", "apt uses it"),
        (
            Apt(config='Acquire::http::Proxy-Auto-Detect "/usr/bin/finder";\n', finder="http://found:3142/\n"),
            MIRROR,
            "http://found:3142",
            "/usr/bin/finder",
        ),
        (no_apt, MIRROR, None, "apt has no proxy"),
        (Apt(config=PROXY), Mirror("http://c:3142/mirror.example.org/debian"), None, "the cacher c:3142 already"),
        (Apt(), Mirror("https://mirror.example.org/debian"), None, "does not look into https"),
    ],
    ids=[
        "apt's",
        "direct for this host",
        "without http://",
        "a finder",
        "without apt",
        "a cacher in the URL",
        "https",
    ],
)
def test_the_proxy_that_apt_would_take(apt: Runner, mirror: Mirror, url: str | None, why: str) -> None:
    choice = find_proxy(apt, mirror=mirror, port=1)
    assert choice.url == url
    assert why in choice.why


def test_else_the_cacher_of_this_machine(cacher: Server) -> None:
    choice = find_proxy(Apt(), mirror=MIRROR, port=cacher.server_port)
    assert choice.url == cacher.url
    assert "apt-cacher-ng answers" in choice.why


def test_a_finder_that_says_direct_leaves_the_rest_to_be_looked_at(cacher: Server) -> None:
    apt = Apt(config='Acquire::http::Proxy-Auto-Detect "/usr/bin/finder";\n', finder="DIRECT\n")
    assert find_proxy(apt, mirror=MIRROR, port=cacher.server_port).url == cacher.url
    assert apt.ran[-1] == ("/usr/bin/finder", MIRROR.url)


def test_else_direct_and_why(printer: Server) -> None:
    choice = find_proxy(Apt(), mirror=MIRROR, port=printer.server_port)
    assert choice.url is None
    assert str(choice) == f"going direct: apt has no proxy and no apt-cacher answers on port {printer.server_port}"


def test_a_proxys_password_is_not_shown() -> None:
    assert "secret" not in str(ProxyChoice("http://me:secret@proxy:3128", "apt uses it"))


@pytest.mark.parametrize("given", ["socks5h://me:secret@x:1080", "http://"])
def test_a_proxy_of_another_kind_is_refused(given: str) -> None:
    with pytest.raises(BuilderError, match="no http:// URL") as caught:
        find_proxy(Apt(config=f'Acquire::http::Proxy "{given}";\n'), mirror=MIRROR)
    assert "secret" not in str(caught.value)
