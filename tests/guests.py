"""Guests for tests: a small one, one with every field, hostile values for every text, and made-up ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from hypothesis import strategies as st

from builder.host.site import Site, read_profiles
from builder.host.templates import STOCK, read_templates
from builder.media.mirror import MirrorAnswers
from builder.preseed.render import Rendered, Template, render_preseed
from builder.profile.base import Model
from builder.profile.load import load_site
from builder.profile.model import CrashAction, Guest, ShutdownAction
from builder.secret import Secret
from builder.workflows.render import Artefacts, context_of, render_guest

ROOT = Path(__file__).parent.parent
HASH = "$6$saltsalt$" + "h" * 86
KEY = "ssh-ed25519 " + "A" * 68 + " someone@example.org"
MIRROR = MirrorAnswers("http", "mirror.example.org", "/debian", "")
Path_ = tuple[str | int, ...]

SMALL: dict[str, Any] = {
    "name": "web1",
    "suite": "trixie",
    "memory": "1G",
    "volume_group": "vg0",
    "nics": [{"bridge": "xenbr0"}],
}
# Every field of every model has a value here; test_hostile sees to that.
FULL: dict[str, Any] = {
    "name": "full1",
    "description": "Every field",
    "suite": "trixie",
    "arch": "amd64",
    "type": "hvm",
    "memory": "1G",
    "install_memory": "2G",
    "max_memory": "2G",
    "vcpus": 2,
    "max_vcpus": 4,
    "cpus": "0-3",
    "cpu_weight": 512,
    "cpu_cap": 150,
    "tsc_mode": "native",
    "uuid": "0f1e2d3c-4b5a-4697-8812-3d4e5f60718a",
    "vnc": {"listen": "127.0.0.1", "display": 7},
    "on_poweroff": "preserve",
    "on_reboot": "destroy",
    "on_crash": "coredump-restart",
    "autostart": True,
    "start_after": ["db1"],
    "keyring": "keys/lab.gpg",
    "media": "iso",
    "media_sources": ["package"],
    "iso": "images/netinst.iso",
    "iso_sha256": "0" * 64,
    "iso_mirror": "http://mirror.example.org/debian-cd/current/amd64/iso-cd",
    "iso_keyring": "keys/cd.gpg",
    "domain": "example.org",
    "dns": ["192.0.2.53"],
    "nics": [
        {
            "mode": "bridge",
            "bridge": "xenbr0",
            "mac": "00:16:3e:00:00:01",
            "ipv4": {"address": "192.0.2.10/24", "gateway": "192.0.2.1"},
            "ipv6": {"address": "2001:db8::10/64", "gateway": "2001:db8::1"},
            "rate": "10MB/s",
        },
        {"bridge": "xenbr1", "ipv4": "none", "ipv6": "none"},
        {
            "mode": "nat",
            "bridge": "natbr0",
            "vlan": 7,
            "ipv4": {"address": "10.0.0.5/24"},
            "ipv6": "none",
            "forward": [{"address": "203.0.113.5", "protocol": "udp", "ports": ["53"], "to": 5353}],
            "isolated": True,
            "antispoof": False,
        },
    ],
    "volume_group": "vg0",
    "thin_pool": "thin",
    "thin_watermark": "70%",
    "wipe": "zero",
    "disk": {
        "volume": "full1-system",
        "size": "20G",
        "headroom": "10%",
        "thin": False,
        "label": "gpt",
        "method": "lvm",
        "partitions": [
            {"mount": "/boot", "filesystem": "ext4", "minimum": "512M", "priority": "512M", "maximum": "512M"},
            {"mount": "/", "minimum": "2G", "maximum": "unlimited", "name": "root", "primary": False},
            {"mount": "swap", "minimum": "512M", "maximum": "100%"},
        ],
    },
    "volumes": [
        {
            "name": "data",
            "volume": "full1-srv",
            "size": "8G",
            "keep": True,
            "thin": True,
            "mount": "/srv/data",
            "filesystem": "xfs",
        }
    ],
    "dom0_path": "/var/lib/domu",
    "locale": "de_DE.UTF-8",
    "keyboard": "de",
    "timezone": "Europe/Berlin",
    "ntp": False,
    "mirror": "http://mirror.example.org/debian",
    "components": ["main", "non-free-firmware"],
    "security": True,
    "proxy": "http://cacher.example.org:3142",
    "keep_proxy": False,
    "packages": ["nginx"],
    "tasks": ["standard"],
    "root": {"password": HASH, "ssh_keys": [KEY]},
    "users": [
        {"name": "ann", "full_name": "Ann Example", "password": HASH, "ssh_keys": [KEY], "sudo": True},
        {"name": "bob", "full_name": "Bob Example", "password": {"file": "secrets/bob"}, "sudo": False},
        {"name": "cid", "password": {"env": "CID"}},
        {"name": "dan", "password": {"command": ["pass", "show", "dan"]}},
        {"name": "eve", "password": {"hash": HASH}},
    ],
    "ssh_keys": [KEY.replace("someone", "admin")],
    "ssh_host_keys": {
        "ed25519": {"file": "secrets/full1/ssh_host_ed25519_key"},
        "ecdsa": {"env": "FULL1_ECDSA"},
        "rsa": {"command": ["full1-rsa"]},
    },
    "bootloader": "firmware",
    "dom0_reads_disk": True,
    "kernel_args": ["elevator=noop"],
    "early_commands": ["echo early"],
    "late_commands": ["echo late", {"run": "echo target", "where": "target"}],
    "initrd_files": [{"source": "files/motd", "path": "/files/motd", "executable": True}],
    "debconf": [{"owner": "locales", "question": "locales/default", "type": "select", "value": "C.UTF-8"}],
    "ready": {"port": 2222, "console": False, "limit": 300},
    "after": [{"command": ["/usr/local/sbin/restore"], "limit": 7200}],
    "template": "preseed.cfg.j2",
    "lint": {"ignore": ["L201"]},
}
# What stands for trouble somewhere: line ends, debconf, shell, xl, Jinja2, paths, length, encodings. A shell that
# runs any of it makes a file named canary.
HOSTILE: dict[str, str] = {
    "newline": "x\ntouch canary\nd-i passwd/root-login boolean true",
    "carriage return": "x\rtouch canary",
    "NUL": "x\0touch canary",
    "line separator": "x\u2028touch canary",
    "substitution": "$(touch canary)",
    "backquotes": "`touch canary`",
    "semicolon": "x; touch canary; x",
    "ampersands": "x && touch canary || touch canary & touch canary",
    "pipe": "x | touch canary",
    "single quote": "x'; touch canary; '",
    "double quote": 'x"; touch canary; "',
    "redirection": "x > canary",
    "here document": "x <<END",
    "END": "END",
    "comment": "# x",
    "hash inside": "x # x",
    "dollar": "$HOME ${IFS} $0",
    "backslash at the end": "x\\",
    "backslash inside": "x\\n\\t\\x41\\101 y",
    "xl statement": 'x"\nkernel = "/canary',
    "xl list": 'x", "vdev=xvdz,target=/canary',
    "comma": "x,script=canary",
    "equals": "script=canary",
    "braces": "{{ guest.root }}",
    "statement": "{% include '/etc/passwd' %}",
    "percent": "100%s %n %d",
    "path": "../../../../canary",
    "absolute path": "/root/.ssh",
    "home": "~root",
    "glob": "* ? [a-z]",
    "option": "--canary",
    "short option": "-rf",
    "blank ends": " x ",
    "tab": "x\ty",
    "only blanks": "   ",
    "empty": "",
    "very long": "x" * 70_000,
    "long": "x" * 450,
    "letters": "gr\u00fc\u00df dich \u2603 \u4f60\u597d",
    "no-break space": "x\u00a0y",
    "right to left": "x\u202ey",
    "surrogate": "x\udc80y",
    "escape": "x\x1b[2Jy",
    "equivalence": "e\u0301",
}


def guest(changes: Mapping[str, Any] | None = None, **more: Any) -> Guest:
    """The small guest with changes."""
    return Guest.model_validate({**SMALL, **(changes or {}), **more})


def secrets_of(one: Guest, text: str = HASH) -> dict[str, Secret]:
    """A hash for every password of the guest, words for its host keys."""
    keys = {path: Secret("a private\nkey\n") for path in one.host_key_sources()}
    return {path: Secret(text) for path in one.secrets()} | keys


def stock_templates() -> Mapping[str, Template]:
    return read_templates(Site(STOCK.parent))


def rendered(
    one: Guest, *, mirror: MirrorAnswers = MIRROR, templates: Mapping[str, Template] | None = None
) -> Rendered:
    """The preseed by the stock templates."""
    return render_preseed(context_of(one, secrets=secrets_of(one), mirror=mirror), templates or stock_templates())


def artefacts(one: Guest, *, mirror: MirrorAnswers = MIRROR) -> Artefacts:
    return render_guest(one, templates=stock_templates(), secrets=secrets_of(one), mirror=mirror)


def sample_guests() -> tuple[Guest, ...]:
    """Those of the repository, which is the sample site."""
    return load_site(read_profiles(Site(ROOT))).guests


def answers(text: str) -> dict[str, tuple[str, str, str]]:
    """Question -> (owner, type, value) as the installer reads a preseed without continuations; a later line wins."""
    found: dict[str, tuple[str, str, str]] = {}
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            owner, question, kind, *value = line.split(None, 3)
            found[question] = (owner, kind, value[0].strip() if value else "")
    return found


def texts(tree: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The way to every text in a tree of mappings and lists."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from texts(value, (*path, key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from texts(value, (*path, number))
    elif isinstance(tree, str):
        yield path


def changed(tree: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """A copy of the tree with another value at `path`."""
    result = copy.deepcopy(tree)
    inner: Any = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def fields_set(model: Model) -> Iterator[tuple[type[Model], str]]:
    """Every field that a value was given for, in this model and those below it."""
    for name in model.model_fields_set:
        yield type(model), name
        values = getattr(model, name)
        for value in values if isinstance(values, tuple) else (values,):
            if isinstance(value, Model):
                yield from fields_set(value)


_NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,12}[a-z0-9]\Z")
_LINE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40).filter(
    lambda text: not text.endswith("\\")
)
_NICS = st.one_of(
    st.builds(
        lambda bridge, rate: {"bridge": bridge, "rate": rate},
        st.sampled_from(["xenbr0", "br.lan", "x_y-z"]),
        st.none() | st.from_regex(r"\A[1-9][0-9]{0,3}[KMG][Bb]/s\Z"),
    ),
    st.builds(lambda bridge: {"mode": "nat", "bridge": bridge, "ipv6": "none"}, st.just("natbr0")),
    st.builds(
        lambda address: {"mode": "routed", "ipv4": {"address": f"{address}/32", "gateway": "192.0.2.1"}},
        st.ip_addresses(v=4, network="203.0.113.0/24").map(str),
    ),
)
GUESTS: st.SearchStrategy[Guest] = st.builds(
    lambda kind, **fields: Guest.model_validate({**fields, **kind}),
    kind=st.sampled_from([{"type": kind, "bootloader": "auto"} for kind in ("pv", "pvh", "hvm")]),
    name=_NAMES,
    description=_LINE,
    suite=st.sampled_from(["bookworm", "trixie"]),
    memory=st.integers(768, 65_536).map("{}M".format),
    vcpus=st.integers(1, 8),
    cpus=st.sampled_from(["", "all", "0-3", "0-3,^1", "2"]),
    cpu_weight=st.none() | st.integers(1, 65535),
    cpu_cap=st.none() | st.integers(1, 100),
    tsc_mode=st.none() | st.sampled_from(["always_emulate", "native", "native_paravirt"]),
    max_vcpus=st.none() | st.integers(8, 512),
    max_memory=st.none() | st.integers(65_536, 100_000).map("{}M".format),
    uuid=st.just("auto") | st.uuids().map(str),
    vnc=st.none()
    | st.fixed_dictionaries(
        {"listen": st.ip_addresses(v=4).map(str)}, optional={"display": st.none() | st.integers(0, 999)}
    ),
    on_poweroff=st.sampled_from(get_args(ShutdownAction)),
    on_reboot=st.sampled_from(get_args(ShutdownAction)),
    on_crash=st.sampled_from(get_args(CrashAction)),
    autostart=st.booleans(),
    volume_group=st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\Z"),
    nics=st.lists(_NICS, min_size=1, max_size=3),
    volumes=st.lists(st.from_regex(r"\A[a-z0-9]{1,8}\Z"), max_size=25, unique=True).map(
        lambda names: [{"name": name, "size": "1G"} for name in names]
    ),
    kernel_args=st.lists(st.from_regex(r"\A[A-Za-z0-9_.,:=/@%+~-]{1,30}\Z"), max_size=5),
)
