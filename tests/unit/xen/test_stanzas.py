"""Foreign stanzas of /etc/network/interfaces: which are in the way, and what is left when they are comments."""

from __future__ import annotations

import pytest

from builder.xen.stanzas import commented, stanzas_of

OWNED = ("xenbr0", "eth0")
DEBIAN = """\
# what the installer wrote
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet static
    address 192.0.2.2/24
    # the provider's
    gateway 192.0.2.1

iface eth0 inet6 static
\taddress 2001:db8::2/64
auto eth1
iface eth1 inet dhcp
"""


def test_what_the_installer_wrote() -> None:
    assert [(one.interface, one.first, one.last) for one in stanzas_of(DEBIAN, OWNED)] == [
        ("eth0", 8, 11),
        ("eth0", 13, 14),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("iface eth0 inet manual\n", 0),
        ("iface eth0 inet manual\n    up ethtool -K eth0 tso off\n", 1),
        ("iface eth0 inet dhcp", 1),
        ("iface xenbr0 inet dhcp\n    bridge_ports eth0\n", 1),
        ("# iface eth0 inet dhcp\n", 0),
        ("iface eth0:1 inet static\n", 0),
        ("iface \\\n eth0 inet dhcp\n", 1),
        ("iface\n", 0),
        ("", 0),
    ],
)
def test_which_are_in_the_way(text: str, count: int) -> None:
    assert len(stanzas_of(text, OWNED)) == count


def test_as_comments_they_are_gone_and_all_else_is_as_it_was() -> None:
    after = commented(DEBIAN, OWNED)
    assert stanzas_of(after, OWNED) == ()
    assert after.replace("#domu: ", "") == DEBIAN
    assert after.count("#domu: ") == 6
    assert commented(after, OWNED) == after


def test_a_continued_line_is_hidden_whole() -> None:
    text = "iface eth0 inet dhcp\n    up echo \\\n        one\nauto lo\n"
    assert commented(text, OWNED) == "#domu: iface eth0 inet dhcp\n#domu:     up echo \\\n#domu:         one\nauto lo\n"
