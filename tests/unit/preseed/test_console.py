"""The installer's console: stages and how far they are, and where it waits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.preseed.catalogue import Catalogue
from builder.preseed.console import Console, Line, Progress, Prompt
from builder.workflows.look_up import look_up

CATALOGUE = look_up(None, "trixie").catalogue
# As an install under Xen 4.17 wrote it, shortened.
INSTALLING = (
    "Starting system log daemon: syslogd, klogd.\r\n"
    "Detecting network hardware  ... 2%... 95%... 100%\r\n"
    "[   40.123456] ip: module loaded\r\n"
    "Loading additional components  ... 11%... 20%\r\n"
)
HOSTNAME = (
    "Please enter the hostname for this system.\n\nThe hostname is a single word that identifies your system to the\n"
    "network. If you don't know what your hostname should be, consult your network \nadministrator. If you are setting "
    "up your own home network, you can make \nsomething up here.\nHostname:\nPrompt: '?' for help, default=debian> "
)
CONTINENT = """\
Select your location
--------------------

The selected location will be used to set your time zone and also for example
to help select the system locale. Normally this should be the country where you
live.

Select the continent or region to which your location belongs.
Continent or region:
  1: Africa,              5: Caribbean,            9: North America,
  2: Antarctica,          6: Central America,     10: Oceania,
  3: Asia,                7: Europe,              11: South America,
  4: Atlantic Ocean,      8: Indian Ocean,
Prompt: '?' for help> """
CONFIRM = (
    "Partition disks\n---------------\n\n"
    "No root file system is defined.\n"
    "Go back to the menu and resume partitioning?\n  1: Yes [*]  2: No\nPrompt: '?' for help, default=1> "
)


def console(text: str, catalogue: Catalogue = CATALOGUE) -> Console:
    made = Console(catalogue)
    made.feed(text)
    return made


def waits(text: str) -> Prompt:
    prompt = console(text).waiting()
    assert prompt
    return prompt


def test_progress_is_told_as_it_grows() -> None:
    made = Console(CATALOGUE)
    assert made.feed("Installing the base system  ") == [Progress("Installing the base system", 0)]
    assert made.feed("... 10%") == [Progress("Installing the base system", 10)]
    assert made.feed("... 2") == []
    assert made.feed("0%... 30%") == [Progress("Installing the base system", 30)]
    assert made.feed("\r\n") == []


def test_other_lines_are_told_whole_and_the_kernels_are_not() -> None:
    events = Console(CATALOGUE).feed(INSTALLING)
    assert events == [
        Line("Starting system log daemon: syslogd, klogd."),
        Progress("Detecting network hardware", 100),
        Progress("Loading additional components", 20),
    ]


@settings(deadline=None)  # machines are slow at times
@given(st.lists(st.integers(0, len(INSTALLING + HOSTNAME)), max_size=8))
def test_pieces_may_end_anywhere(cuts: list[int]) -> None:
    text = INSTALLING + HOSTNAME
    made, whole = Console(CATALOGUE), console(text)
    places = [0, *sorted(cuts), len(text)]
    events = [event for begin, end in itertools.pairwise(places) for event in made.feed(text[begin:end])]
    assert [event for event in events if isinstance(event, Line)] == [
        event for event in Console(CATALOGUE).feed(text) if isinstance(event, Line)
    ]
    assert Progress("Loading additional components", 20) in events
    assert made.waiting() == whole.waiting()


@pytest.mark.parametrize("end", ["", "\n"], ids=["as bookworm writes it", "as trixie does"])
def test_a_prompt_is_named_by_its_question(end: str) -> None:
    prompt = waits(INSTALLING + HOSTNAME + end)
    assert prompt.names == ("netcfg/get_hostname",)
    assert prompt.default == "debian"
    assert prompt.answers == ("d-i netcfg/get_hostname string web1",)


def test_a_question_of_an_installed_package_is_named() -> None:
    question = next(one for one in CATALOGUE.questions if one.type == "string" and one.target and not one.installer)
    asked = f"{question.extended}\n{question.description}\nPrompt: '?' for help> "
    assert waits(INSTALLING + asked).names[0] == question.name


def test_a_question_is_named_by_the_texts_that_a_script_puts_into_it() -> None:
    prompt = waits(CONTINENT)  # as an install under Xen 4.17 asked it
    assert prompt.names == ("localechooser/continentlist",)
    assert prompt.answers == ("d-i debian-installer/country string US",)
    assert prompt.choices[6] == "Europe"


def test_choices_are_told() -> None:
    prompt = waits(CONFIRM)
    assert prompt.choices == ("Yes", "No")
    assert prompt.default == "1"
    assert prompt.text.startswith("Partition disks")


def test_a_note_waits_for_enter() -> None:
    question = CATALOGUE.by_name["lowmem/low"]
    prompt = waits(f"{question.description}\n\n{question.extended}\n[Press enter to continue] ")
    assert prompt.names == ("lowmem/low",)


def test_a_password_is_asked_for_without_a_prompt() -> None:
    question = CATALOGUE.by_name["passwd/root-password"]
    assert waits(f"{question.extended}\n{question.description}\n").names == ("passwd/root-password",)


def test_the_kernel_may_write_behind_a_prompt() -> None:
    assert waits(HOSTNAME + "[  123.456789] random: crng init done\n").names == ("netcfg/get_hostname",)
    assert waits(HOSTNAME + "[  123.45").names == ("netcfg/get_hostname",)


def test_a_prompt_in_another_language_is_a_prompt_without_a_name() -> None:
    prompt = waits("Bitte geben Sie den Namen dieses Rechners ein.\nRechnername:\nAuswahl: '?' f\xfcr Hilfe> ")
    assert prompt.names == ()
    assert "Rechnername:" in prompt.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        INSTALLING,
        "Installing the base system  ... 10%",
        "Installing the base system  ",
        "Debian GNU/Linux 13 web1 hvc0\n\nweb1 login: ",
        HOSTNAME + "web1\n\n",
        "Retrieving linux-image-6.12",
    ],
    ids=["nothing", "lines", "progress", "progress begun", "login", "answered", "half a line"],
)
def test_what_is_no_prompt(text: str) -> None:
    assert console(text).waiting() is None
