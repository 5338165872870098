"""An installation followed on its console: every ending is told apart, with nothing but texts and a clock."""

from __future__ import annotations

import pytest

from builder.plan.endings import question_line
from builder.plan.watch import InstallWatch, Limits, Stage, Verdict, installer_domain, kept_logs, marker_line
from builder.preseed.catalogue import Question
from builder.preseed.console import Prompt
from builder.preseed.signals import ALIVE, FAILED, SIGN, TOLD, signal
from builder.units import Size
from builder.workflows.look_up import look_up
from builder.xen.readings import Domain, DomainState

CATALOGUE = look_up(None, "trixie").catalogue
UUID = "4b2c5f26-7d3d-5c60-9a3c-2f6a1b6f0d11"
LIMITS = Limits()
BEGIN = "Loading additional components  ... 11%... 20%"
HOSTNAME = (
    "\r\nPlease enter the hostname for this system.\r\n\r\nThe hostname is a single word that identifies your system "
    "to the \r\nnetwork. If you don't know what your hostname should be, consult your network \r\nadministrator. If "
    "you are setting up your own home network, you can make \r\nsomething up here.\r\nHostname:\r\n"
    "Prompt: '?' for help, default=debian> "
)
LOG = f"{SIGN}-syslog: Nov 23 03:00:00 main-menu[213]: INFO: Menu item 'netcfg' selected\r\n{signal('web1', TOLD)}"


def domain(state: str = "-b----", name: str = "web1", uuid: str = UUID) -> Domain:
    return Domain(name, 7, Size(1 << 30), 1, DomainState.parse(state), 1.0, uuid)


ALIVE_DOMAIN = domain()


def watched(*texts: str, at: float = 0.0, then: Domain | None = ALIVE_DOMAIN, later: float = 0.0) -> Verdict | None:
    """What is said of these texts at `at`, when `later` seconds have passed and the domain is `then`."""
    watch = InstallWatch("web1", CATALOGUE)
    assert watch.look(at, ALIVE_DOMAIN) is None
    for text in texts:
        watch.feed(text, at)
    watch.look(at, then)
    return watch.look(at + later, then)


def kind(verdict: Verdict | None) -> str:
    return verdict.kind if verdict else "goes on"


@pytest.mark.parametrize(
    ("text", "then", "later", "expected"),
    [
        pytest.param("", ALIVE_DOMAIN, 60, "goes on", id="nothing yet"),
        pytest.param(BEGIN, ALIVE_DOMAIN, 600, "goes on", id="slow"),
        pytest.param(HOSTNAME, ALIVE_DOMAIN, 5, "goes on", id="a prompt that may be half a line"),
        pytest.param(HOSTNAME, ALIVE_DOMAIN, 20, "goes on", id="a prompt, whose logs come yet"),
        pytest.param(HOSTNAME + LOG, ALIVE_DOMAIN, 10, "question", id="a prompt and the logs"),
        pytest.param(HOSTNAME, ALIVE_DOMAIN, LIMITS.logs, "question", id="a prompt without logs"),
        pytest.param(marker_line("web1"), ALIVE_DOMAIN, 60, "goes on", id="the end comes"),
        pytest.param(marker_line("web1"), ALIVE_DOMAIN, LIMITS.ending, "stuck", id="the end does not come"),
        pytest.param(marker_line("web1"), None, LIMITS.last, "finished", id="finished"),
        pytest.param(marker_line("web1"), domain("---s--"), LIMITS.last, "finished", id="powered off"),
        pytest.param(marker_line("web2"), None, LIMITS.last, "lost", id="another guest's marker"),
        pytest.param(BEGIN, None, 1, "goes on", id="the last words come yet"),
        pytest.param(BEGIN, None, LIMITS.last, "lost", id="taken away"),
        pytest.param("", None, LIMITS.last, "lost", id="never a word"),
        pytest.param(
            BEGIN + "\n[  99.123456] reboot: Power down\r\n", None, LIMITS.last, "gave up", id="powered off early"
        ),
        pytest.param(BEGIN, domain("---sc-"), LIMITS.last, "crashed", id="crashed"),
        pytest.param(
            "[    1.123456] Kernel panic - not syncing: VFS\r\n", ALIVE_DOMAIN, LIMITS.last, "crashed", id="panic"
        ),
        pytest.param(BEGIN, ALIVE_DOMAIN, LIMITS.quiet, "stuck", id="quiet"),
        pytest.param(BEGIN, domain("--p---"), LIMITS.quiet, "goes on", id="paused"),
        pytest.param(signal("web1", f"{ALIVE} 10 bytes"), ALIVE_DOMAIN, LIMITS.deaf, "stuck", id="deaf"),
        pytest.param(signal("web1", f"late {FAILED} 003-x") + LOG, ALIVE_DOMAIN, 1, "gave up", id="late step failed"),
        pytest.param(LOG + signal("web1", f"late {FAILED} 003-x"), ALIVE_DOMAIN, 20, "goes on", id="logs of before"),
        pytest.param(
            signal("web1", f"late {FAILED} 003-x") + marker_line("web1"),
            None,
            LIMITS.last,
            "gave up",
            id="not finished",
        ),
    ],
)
def test_endings(text: str, then: Domain | None, later: float, expected: str) -> None:
    assert kind(watched(text, then=then, later=later)) == expected


def test_a_question_is_told_with_the_line_that_answers_it() -> None:
    verdict = watched(BEGIN + HOSTNAME + LOG, later=10)
    assert verdict
    assert verdict.message == "the installer waits at the question netcfg/get_hostname"
    assert "d-i netcfg/get_hostname string web1" in verdict.hint
    assert verdict.prompt
    assert not verdict.transient


def test_a_guest_without_memory_gets_more_of_it() -> None:
    killed = "[  900.123456] Out of memory: Killed process 2300 (debootstrap) total-vm:9000kB\r\n"
    verdict = watched(BEGIN + killed, then=domain("---sc-"), later=LIMITS.last)
    assert verdict
    assert "install_memory" in verdict.hint


@pytest.mark.parametrize(
    ("name", "shown", "line"),
    [
        ("partman/choose_partition", "", "d-i partman/choose_partition select finish"),
        ("debian-installer/dummy", "", "d-i debian-installer/dummy string VALUE"),
        ("hw-detect/load_media", "", "d-i hw-detect/load_media boolean true"),
        ("tzsetup/country/US", "2", "d-i tzsetup/country/US select Central"),
    ],
)
def test_every_question_gets_a_line_of_its_form(name: str, shown: str, line: str) -> None:
    kind = line.split()[2]
    question = Question(name, kind, "", (), False, "x", "", "some-udeb", "udeb")
    assert question_line(question, Prompt((name,), "x", ("Eastern", "Central"), shown)) == line


def test_stage_and_share() -> None:
    watch = InstallWatch("web1", CATALOGUE)
    watch.feed("Installing the base system  ... 10%... 50%", 1)
    assert watch.stage == Stage("Installing the base system", 50, 39)
    watch.feed("\r\noutside your LAN (for instance, to the Internet) is sent through this router.  ", 1)
    assert watch.stage == Stage("Installing the base system", 50, 39)
    watch.feed("\r\n" + marker_line("web1"), 2)
    assert watch.stage.overall == 100


def test_logs_are_kept_apart() -> None:
    assert kept_logs(f"{BEGIN}{LOG}... 30%\r\n{SIGN}-partman: /bin/autopartition\r\n") == {
        "partman": "/bin/autopartition\n",
        "syslog": "Nov 23 03:00:00 main-menu[213]: INFO: Menu item 'netcfg' selected\n",
    }


def test_a_crashed_domain_that_was_kept_is_found() -> None:
    kept = domain("---sc-", "web1-20261123T0400Z", "00000000-0000-4000-8000-000000000001")
    assert installer_domain([domain(), kept], "web1", UUID) == domain()
    assert installer_domain([kept], "web1", UUID) == kept
    assert installer_domain([domain(name="web2")], "web1", "x") is None
