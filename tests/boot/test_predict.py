"""The prediction holds: answers are taken away one at a time, and the installer stops where completeness says.

`make predict-test`; docs/predict-test.md tells how, and has a run's output. Both suites take about an hour.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from builder.host.apt import find_mirror
from builder.host.run import run
from builder.host.site import Site
from builder.media.mirror import MirrorAnswers
from builder.preseed.completeness import Pending, answers_of, find_pending, situation_of_answers
from builder.preseed.given import Hardware
from builder.preseed.loader import load
from builder.preseed.situation import Situation
from builder.preseed.syntax import parse_preseed
from builder.profile.model import Suite
from tests.boot.prober import GUEST_MIRROR, STAGES, Installer, Prober, Stop
from tests.boot.supplement import make_supplement
from tests.guests import ROOT, guest, rendered
from tests.media import netboot_media

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="qemu-system-x86_64 is not installed"),
    pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed"),
]
SUITES: tuple[Suite, ...] = ("trixie", "bookworm")
PROFILE: dict[str, Any] = {
    "type": "hvm",
    "nics": [{"bridge": "xenbr0", "mac": "52:54:00:12:34:56", "ipv4": {"address": "10.0.2.15/24"}}],
    "dns": ["10.0.2.3"],
    "ntp": False,
    "users": [{"name": "ann", "full_name": "Ann Example"}],
    "disk": {
        "partitions": [
            {"mount": "/", "minimum": "2G", "maximum": "unlimited"},
            {"mount": "swap", "minimum": "256M", "maximum": "512M"},
        ]
    },
}
# The first word of a question's name tells in which stage its answer is loaded; all others behind the mirror.
STAGE = {
    "debian-installer": "start",
    "keyboard-configuration": "start",
    "netcfg": "network",
    "mirror": "mirror",
    "partman": "partitioning",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Answers to do without, and lines to add, from the stage on in which they are first needed."""

    stage: str
    without: tuple[str, ...]
    more: tuple[str, ...] = ()
    words: str = ""

    @property
    def label(self) -> str:
        return self.words or ", ".join(self.without)


CASES: tuple[Case, ...] = (
    Case("start", ("debian-installer/locale",)),
    Case("start", ("keyboard-configuration/xkb-keymap",)),
    Case("network", ("netcfg/get_ipaddress",), ("d-i netcfg/get_ipaddress string 10.0.2.15",), "its prefix length"),
    Case("network", ("netcfg/get_gateway",)),
    Case("network", ("netcfg/get_nameservers",)),
    Case("network", ("netcfg/get_hostname", "netcfg/hostname")),
    Case("network", ("netcfg/get_domain", "netcfg/hostname")),
    Case("mirror", ("mirror/country",)),
    Case("mirror", ("mirror/http/hostname",)),
    Case("mirror", ("mirror/http/proxy",)),
    Case("accounts", ("passwd/root-password-crypted",)),
    Case("accounts", ("passwd/user-fullname",)),
    Case("accounts", ("passwd/username",)),
    Case("accounts", ("passwd/user-password-crypted",)),
    Case(
        "accounts",
        ("passwd/make-user", "passwd/user-fullname", "passwd/username"),
        ("d-i passwd/root-login boolean false", "d-i passwd/make-user boolean false"),
        "the user's names, with root-login false and make-user false",
    ),
    Case("accounts", ("time/zone",)),
    Case("partitioning", ("partman-auto/method",)),
    Case("partitioning", ("partman-auto/expert_recipe",)),
    Case("partitioning", ("partman/choose_partition",)),
    Case("partitioning", ("partman/confirm_nooverwrite",)),
)

# Answers in place of the profile's, with which LVM runs through.
LVM = {
    "partman-auto/method": "d-i partman-auto/method string lvm",
    "partman-auto/choose_recipe": "d-i partman-auto/choose_recipe select atomic",
    "partman-auto-lvm/guided_size": "d-i partman-auto-lvm/guided_size string max",
    "partman-lvm/confirm": "d-i partman-lvm/confirm boolean true",
    "partman-lvm/confirm_nooverwrite": "d-i partman-lvm/confirm_nooverwrite boolean true",
}
ROOT_ALONE = "method{ format } format{ } use_filesystem{ } filesystem{ ext4 } mountpoint{ / } ."
CASES += (
    *(
        Case(
            "partitioning",
            ("partman-auto/method", "partman-auto/expert_recipe"),
            tuple(line for question, line in LVM.items() if question != without),
            f"{without} (with LVM)",
        )
        for without in ("partman-auto-lvm/guided_size", "partman-lvm/confirm_nooverwrite")
    ),
    Case(
        "partitioning",
        ("partman-auto/expert_recipe", "partman-basicfilesystems/no_swap"),
        (f"d-i partman-auto/expert_recipe string r :: 2000 3000 -1 ext4 {ROOT_ALONE}",),
        "partman-basicfilesystems/no_swap (without swap)",
    ),
)


def preseed_for(suite: Suite) -> str:
    """What our templates make of the profile, for QEMU's disk in place of Xen's."""
    mirror = MirrorAnswers("http", GUEST_MIRROR, "/debian", "")
    text = rendered(guest(suite=suite, **PROFILE), mirror=mirror).text
    lines = [line.replace("/dev/xvda", "/dev/vda") for line in text.split("\n") if line and not line.startswith("#")]
    return "\n".join(lines) + "\n"


def stage_for(line: str) -> str:
    """The checkpoint behind which this line is loaded."""
    first = line.split()[1].partition("/")[0]
    return STAGE.get("partman" if first.startswith("partman") else first, "accounts")


def in_parts(text: str) -> dict[str, str]:
    parts = dict.fromkeys(STAGES, "")
    for line in text.splitlines(keepends=True):
        parts[stage_for(line)] += line
    return parts


def less(text: str, case: Case) -> str:
    """The preseed as the case leaves it."""
    kept = [line for line in text.splitlines() if line.split()[1] not in case.without]
    return "\n".join([*kept, *case.more]) + "\n"


def predicted(text: str, suite: Suite) -> tuple[Pending, ...]:
    loaded = load(parse_preseed(text.encode()))
    answers = answers_of(loaded)
    situation: Situation = situation_of_answers(answers, suite, Hardware("hvm", ("/dev/vda",)))
    return find_pending(answers, situation, aborts=loaded.aborts)


@dataclass(frozen=True, slots=True)
class Ready:
    """A suite's machine saved at its checkpoints, and how far it came with every answer."""

    suite: Suite
    preseed: str
    prober: Prober
    stops: Mapping[str, Stop]


@pytest.fixture(scope="module", params=SUITES)
def ready(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    suite: Suite = request.param
    folder = tmp_path_factory.mktemp(suite)
    media = netboot_media(suite, folder)
    supplement = make_supplement(Site(ROOT), media, folder / "supplement")
    print(f"\n{suite}, installer {media.installer_version}, kernel {media.kernel_abi}\n{supplement}")
    library = "/usr/lib" if supplement.merged else "/lib"
    installer = Installer(media.kernel.path, media.initrd.path, supplement.archive, library, str(find_mirror(run)))
    text = preseed_for(suite)
    prober = Prober(installer, in_parts(text), folder / "machine")
    stops = prober.prepare()
    print("with every answer:", ", ".join(f"{name} {stop.seconds:.0f} s" for name, stop in stops.items()))
    print(f"\n| {'suite':8} | {'without':59} | {'predicted':37} | {'asked':37} | s |\n|---|---|---|---|---|")
    yield Ready(suite, text, prober, stops)
    shutil.rmtree(folder)


def test_nothing_is_asked_of_a_complete_preseed(ready: Ready) -> None:
    assert predicted(ready.preseed, ready.suite) == ()
    last = list(ready.stops.values())[-1]
    show(ready.suite, "nothing", "nothing", last)
    assert last.how == "marker", last.console[-2000:]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_it_stops_where_predicted(ready: Ready, case: Case) -> None:
    if case.stage not in ready.stops:
        pytest.skip(f"{ready.suite} does not come to {case.stage} here")
    said = predicted(less(ready.preseed, case), ready.suite)[0].question
    stop = ready.prober.without(case.stage, case.without, case.more)
    show(ready.suite, case.label, said, stop)
    assert stop.question == said, stop.console[-2000:]


def test_one_boot_without_checkpoints_agrees(ready: Ready) -> None:
    """Last, because it begins with a new disk: the machine's saved states are gone then."""
    case = Case("start", ("partman/choose_partition",), words="partman/choose_partition (one boot)")
    text = less(ready.preseed, case)
    stop = ready.prober.whole(text)
    said = predicted(text, ready.suite)[0].question
    show(ready.suite, case.label, said, stop)
    assert stop.question == said, stop.console[-2000:]


def show(suite: str, without: str, said: str, stop: Stop) -> None:
    asked = "nothing" if stop.how == "marker" else stop.question
    print(f"\n| {suite:8} | {without:59} | {said:37} | {asked:37} | {stop.seconds:.0f} |")
