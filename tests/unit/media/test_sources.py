from __future__ import annotations

import pytest

from builder.media.sources import (
    AptSource,
    debian_uris,
    first_listed,
    parse_deb822,
    parse_one_line,
    parse_options,
    proxy_option,
    proxy_program,
)

ONE_LINE: dict[str, tuple[str, list[str]]] = {
    "a plain line": ("deb http://mirror.example.org/debian trixie main\n", ["http://mirror.example.org/debian"]),
    "as the installer leaves it": (
        (
            "#deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_]/ bookworm main\n\n"
            "deb http://mirror.example.org/debian/ bookworm main non-free-firmware\n"
            "deb-src http://source.example.org/debian/ bookworm main\n"
            "deb http://security.example.org/debian-security bookworm-security main\n"
            "# bookworm-updates, to get updates\n"
            "deb http://updates.example.org/debian/ bookworm-updates main\n"
        ),
        ["http://mirror.example.org/debian/"],
    ),
    "options in brackets": (
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.example.org/any trixie main",
        ["http://m.example.org/any"],
    ),
    "a comment behind": ("deb  http://m.example.org/debian\ttrixie main # ours\n", ["http://m.example.org/debian"]),
    "backports alone": ("deb http://m.example.org/debian trixie-backports main\n", []),
    "a vendor for Debian": ("deb https://packages.example.com/apt trixie main\n", []),
    "a vendor with its own components": ("deb https://download.example.com/linux/debian trixie stable\n", []),
    "an exact path": ("deb http://m.example.org/debian ./\n", []),
    "old security": ("deb http://m.example.org/debian buster/updates main\n", []),
    "the keyring's before others": (
        (
            "deb http://one.example.org/debian trixie main\n"
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.pgp] http://two.example.org/debian trixie main\n"
        ),
        ["http://two.example.org/debian", "http://one.example.org/debian"],
    ),
    "nonsense": ("deb\ndeb http://x\nhello world\n", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), ONE_LINE.values(), ids=ONE_LINE)
def test_one_line_sources(text: str, expected: list[str]) -> None:
    assert list(debian_uris(parse_one_line(text))) == expected


DEB822: dict[str, tuple[str, list[str]]] = {
    "as trixie has it": (
        (
            "Types: deb deb-src\n"
            "URIs: http://mirror.example.org/debian/\n"
            "Suites: trixie trixie-updates\n"
            "Components: main non-free-firmware\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
            "\n"
            "Types: deb\n"
            "URIs: http://security.example.org/debian-security/\n"
            "Suites: trixie-security\n"
            "Components: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ),
        ["http://mirror.example.org/debian/"],
    ),
    "a comment within, as container images have": (
        (
            "Types: deb\n# http://snapshot.example.org/archive/debian/20250520T000000Z\n"
            "URIs: http://mirror.example.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ),
        ["http://mirror.example.org/debian"],
    ),
    "several URIs": (
        "Types: deb\nURIs: http://one.example.org/debian\n  http://two.example.org/debian\nSuites: trixie\nComponents: main\n",
        ["http://one.example.org/debian", "http://two.example.org/debian"],
    ),
    "a disabled stanza": (
        "Enabled: no\nTypes: deb\nURIs: http://m.example.org/debian\nSuites: trixie\nComponents: main\n",
        [],
    ),
    "one that is enabled": (
        "Enabled: yes\nTypes: deb\nURIs: http://m.example.org/debian\nSuites: trixie\nComponents: main\n",
        ["http://m.example.org/debian"],
    ),
    "sources alone": ("Types: deb-src\nURIs: http://m.example.org/debian\nSuites: trixie\nComponents: main\n", []),
    "a key within": (
        (
            "Types: deb\nURIs: https://deb.example.com/node_20.x\nSuites: nodistro\nComponents: main\nSigned-By:\n"
            " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n -----END PGP PUBLIC KEY BLOCK-----\n"
        ),
        [],
    ),
    "a list of mirrors, as cloud images have": (
        "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: trixie\nComponents: main\n",
        ["mirror+file:///etc/apt/mirrors/debian.list"],
    ),
    "nothing": ("", []),
    "only comments": ("# nothing here\n", []),
}


@pytest.mark.parametrize(("text", "expected"), DEB822.values(), ids=DEB822)
def test_deb822_sources(text: str, expected: list[str]) -> None:
    assert list(debian_uris(parse_deb822(text))) == expected


def test_the_parts_of_an_entry() -> None:
    (source,) = parse_one_line("deb [ signed-by=/k.gpg arch=amd64 ] http://m.example.org/debian trixie main contrib")
    assert source == AptSource(("http://m.example.org/debian",), ("trixie",), ("main", "contrib"), "/k.gpg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://mirror.example.org/debian\n", "https://mirror.example.org/debian"),
        ("# ours\n\nhttp://a.example.org/debian priority:1\nhttp://b.example.org\n", "http://a.example.org/debian"),
        ("file:/srv/mirror\nhttp://a.example.org/debian\n", "http://a.example.org/debian"),
        ("", ""),
    ],
)
def test_the_first_of_a_list_of_mirrors(text: str, expected: str) -> None:
    assert first_listed(text) == expected


DUMP = """APT "";
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://cacher.example.org:3142";
Acquire::HTTP::proxy::inside.example.org "direct";
Acquire::http::Proxy::special.example.org "http://other.example.org:8000/";
Acquire::http::Dl-Limit "0";
DPkg::Post-Invoke:: "echo \\"http\\"";
"""


@pytest.mark.parametrize(
    ("scheme", "host", "expected"),
    [
        ("http", "mirror.example.org", "http://cacher.example.org:3142"),
        ("http", "inside.example.org", "DIRECT"),
        ("http", "special.example.org", "http://other.example.org:8000/"),
        ("https", "mirror.example.org", "http://cacher.example.org:3142"),
    ],
)
def test_proxies_of_apt(scheme: str, host: str, expected: str) -> None:
    assert proxy_option(parse_options(DUMP), scheme=scheme, host=host) == expected


@pytest.mark.parametrize("text", ["", 'Acquire::http::Proxy "";\n', 'APT::Architecture "amd64";\n'], ids=repr)
def test_apt_may_say_nothing(text: str) -> None:
    assert proxy_option(parse_options(text), scheme="http", host="mirror.example.org") == ""


def test_the_last_of_a_name_counts() -> None:
    options = parse_options('Acquire::http::Proxy "http://a:1";\nacquire::http::proxy "http://b:2";\n')
    assert proxy_option(options, scheme="http", host="x") == "http://b:2"


def test_https_has_its_own() -> None:
    options = parse_options('Acquire::http::Proxy "http://a:1";\nAcquire::https::Proxy "DIRECT";\n')
    assert proxy_option(options, scheme="https", host="x") == "DIRECT"


def test_a_proxy_finder_is_argv() -> None:
    options = parse_options('Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy --quiet";\n')
    assert proxy_program(options, scheme="http") == ["/usr/bin/auto-apt-proxy", "--quiet"]
    assert proxy_program({}, scheme="http") == []
