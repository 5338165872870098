"""What xl prints, as values; what is not known, or cut short, is refused."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from builder.errors import BuilderError
from builder.units import Size
from builder.xen.domain_config import read_domain_config, read_domain_configs
from builder.xen.readings import DomainState, read_domains, read_info
from tests.xl import DOM0, HEAD, INFO, LONG_HEAD, UUID, row

RECORDED = Path(__file__).parents[2] / "data" / "xl"


@pytest.mark.parametrize(
    ("letters", "word", "alive"),
    [
        ("r-----", "running", True),
        ("-b----", "idle", True),
        ("rb----", "running", True),
        ("------", "waiting for a CPU", True),
        ("--p---", "paused", True),
        ("-bp---", "paused", True),
        ("---s--", "powered off", False),
        ("---sr-", "stopped (reboot)", False),
        ("---ss-", "stopped (suspend)", False),
        ("---sc-", "crashed", False),
        ("--psc-", "crashed", False),
        ("---sw-", "stopped (watchdog)", False),
        ("---sS-", "stopped (soft reset)", False),
        ("-----d", "dying", False),
        ("--ps-d", "dying", False),
    ],
)
def test_a_state_is_told_in_words(letters: str, word: str, *, alive: bool) -> None:
    state = DomainState.parse(letters)
    assert (state.word, state.is_alive) == (word, alive)


def test_of_all_states_only_those_that_xl_can_print_are_taken() -> None:
    taken = 0
    for signs in product("r-", "b-", "p-", "s-", "-rscwS?", "d-"):
        letters = "".join(signs)
        printable = letters[4] != "?" and (letters[3] == "s" or letters[4] == "-")
        try:
            DomainState.parse(letters)
            taken += 1
            assert printable, letters
        except BuilderError:
            assert not printable, letters
    assert taken == 2**4 * (6 + 1)


@pytest.mark.parametrize(
    "letters", ["", "-b---", "-b-----", "b-----", "-x----", "---s?-", "----c-", "R-----", "      "]
)
def test_a_state_that_is_not_known_is_refused(letters: str) -> None:
    with pytest.raises(BuilderError, match="state that is not known") as caught:
        DomainState.parse(letters)
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["web1", "a name with 12 blanks and 3 numbers", "n" * 40, "n" * 63, "web1 1 512 2", "-b----"]
)
def test_a_name_of_any_kind_is_read(name: str) -> None:
    dom0, domain = read_domains(HEAD + DOM0 + row(name))
    assert dom0.is_dom0
    assert not domain.is_dom0
    assert (domain.name, domain.domid, domain.memory, domain.vcpus) == (name, 3, Size(512 << 20), 2)
    assert domain.seconds == 7.3


def test_the_longer_list_has_uuids_too() -> None:
    more = f" {UUID} {'-':>8} {'-':>16}"
    (_dom0, domain) = read_domains(LONG_HEAD + row("Domain-0", 0, more=more) + row("web1", state="---sc-", more=more))
    assert domain.uuid == UUID
    assert domain.state.shutdown == "crash"


def test_a_zombie_has_no_name() -> None:
    _dom0, domain = read_domains(HEAD + DOM0 + row("(null)", state="--ps-d"))
    assert domain.name == ""
    assert domain.state.dying
    assert domain.config is None


def test_a_domain_kept_after_a_crash_tells_what_it_was_called() -> None:
    _dom0, kept, other = read_domains(
        HEAD + DOM0 + row("web1-20261123T0102Z", state="---sc-") + row("db-20261123T0102Z", 4)
    )
    assert kept.preserved == "web1"
    assert other.preserved == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(HEAD + DOM0[:-1], id="no end of line"),
        pytest.param(HEAD + DOM0[:40] + "\n", id="half a line"),
        pytest.param(DOM0, id="no headings"),
        pytest.param(HEAD, id="no domain"),
        pytest.param(HEAD + row("web1"), id="no Domain-0"),
        pytest.param(HEAD + DOM0 + row("a\nb"), id="a name of two lines"),
        pytest.param(HEAD + DOM0 + row("web1", state="?-----"), id="unknown state"),
        pytest.param(HEAD + DOM0 + "libxl: error: something\n", id="an error between"),
    ],
)
def test_a_list_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BuilderError) as caught:
        read_domains(text)
    assert caught.value.hint


def details(*entries: tuple[int, str]) -> str:
    return json.dumps(
        [
            {
                "domid": domid,
                "config": {"c_info": {"type": "pv", "name": name, "uuid": UUID}, "b_info": {"target_memkb": 1048576}},
            }
            for domid, name in entries
        ],
        indent=4,
    )


def test_configs_are_joined_by_number_and_name() -> None:
    table = HEAD + DOM0 + row("web1", 3) + row("web2", 4) + row("(null)", 5, "-----d")
    domains = read_domains(table, details((0, "Domain-0"), (3, "web1"), (4, "newcomer")))
    assert [bool(domain.config) for domain in domains] == [True, True, False, False]
    assert [domain.uuid for domain in domains] == [UUID, UUID, "", ""]
    assert domains[1].config
    assert domains[1].config.memory == Size.parse("1G")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "3",
        '[{"domid": 3}]',
        '[{"domid": null, "config": {}}]',
        '[{"domid": 3, "config": {}}]',
        details((3, "a"))[:-2],
        details((3, "a"), (3, "a")),
    ],
)
def test_details_that_are_cut_short_or_of_another_shape_are_refused(text: str) -> None:
    with pytest.raises(BuilderError):
        read_domain_configs(text)


@pytest.mark.parametrize(
    "change",
    [
        {"c_info": {"type": "pvx"}},
        {"c_info": {"type": 3}},
        {"on_crash": "explode"},
        {"disks": [{}]},
        {"disks": "xvda"},
        {"nics": [{"bridge": "xenbr0"}]},
        {"b_info": {"max_vcpus": "many"}},
    ],
    ids=str,
)
def test_a_config_with_what_is_not_known_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BuilderError):
        read_domain_config({"c_info": {"type": "pv", "name": "x"}, "b_info": {}, **change})


def test_xl_info_is_read() -> None:
    info = read_info(INFO)
    assert (info.version, info.release, info.host, info.cpus) == ("4.17.5", "4.17", "dom0", 4)
    assert (info.total, info.unclaimed) == (Size(16383 << 20), Size(8191 << 20))
    assert info.can_hvm
    assert info.command_line == "placeholder dom0_mem=2G,max:2G"


def test_version_of_a_release_candidate() -> None:
    assert read_info(INFO.replace("4.17.5", "4.20-rc")).version == "4.20"


@pytest.mark.parametrize("lines", range(len(INFO.splitlines())))
def test_xl_info_cut_after_any_line_is_refused(lines: int) -> None:
    with pytest.raises(BuilderError):
        read_info("".join(f"{line}\n" for line in INFO.splitlines()[:lines]))


@pytest.mark.parametrize(
    "text",
    [
        INFO[:-1],
        INFO + "libxl_get_physinfo failed.\n",
        INFO + "host : other\n",
        INFO.replace("8191", "much"),
        INFO.replace("virt_caps", "other"),
    ],
)
def test_xl_info_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BuilderError):
        read_info(text)


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*-list.txt")), ids=lambda path: path.name)
def test_recorded_lists_are_read_and_agree(path: Path) -> None:
    """Texts of real hosts: `xl list`, its --verbose and --long forms taken one after the other."""
    host = path.name.removesuffix("-list.txt")
    details = (RECORDED / f"{host}-list-l.txt").read_text()
    short = read_domains(path.read_text(), details)
    long = read_domains((RECORDED / f"{host}-list-v.txt").read_text(), details)
    assert short[0].is_dom0
    assert short[0].state.is_alive
    assert [(one.name, one.domid) for one in short] == [(one.name, one.domid) for one in long]
    assert all(one.uuid for one in long)
    for one in long:
        if one.config and not one.is_dom0:
            assert one.config.uuid == one.uuid
            assert one.config.disks
            assert one.config.nics


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*-info.txt")), ids=lambda path: path.name)
def test_recorded_infos_are_read(path: Path) -> None:
    info = read_info(path.read_text())
    assert path.name.startswith(info.release)
    assert info.version.startswith(info.release)
    assert info.unclaimed < info.total
    assert "pv" in info.capabilities


@pytest.mark.parametrize("release", ["4.17", "4.20"])
def test_there_are_recorded_texts(release: str) -> None:
    assert len(list(RECORDED.glob(f"{release}-*-list.txt"))) >= 1


@pytest.mark.parametrize(
    ("host", "words", "has_config"),
    [
        ("4.17-alone", {}, {}),
        ("4.17-being-created", {"slow1": "paused"}, {"slow1": False}),
        ("4.17-created-paused", {"web1": "paused"}, {"web1": True}),
        ("4.17-running", {"web1": "running"}, {"web1": True}),
        ("4.17-paused", {"web1": "paused"}, {"web1": True}),
        ("4.17-pvh-paused", {"pvh-1.example": "paused"}, {"pvh-1.example": True}),
        ("4.20-alone", {}, {}),
        ("4.20-being-created", {"slow1": "paused"}, {"slow1": False}),
        ("4.20-created-paused", {"web1": "paused"}, {"web1": True}),
        ("4.20-running", {"web1": "running"}, {"web1": True}),
        ("4.20-paused", {"web1": "paused"}, {"web1": True}),
        ("4.20-pvh-paused", {"pvh-1.example": "paused"}, {"pvh-1.example": True}),
        ("4.20-crashed", {"crashed1": "crashed"}, {"crashed1": True}),
    ],
)
def test_recorded_guests_are_as_they_were(host: str, words: dict[str, str], has_config: dict[str, bool]) -> None:
    """A domain that xl is still making is paused and has no config yet."""
    table = (RECORDED / f"{host}-list-v.txt").read_text()
    _dom0, *guests = read_domains(table, (RECORDED / f"{host}-list-l.txt").read_text())
    assert {one.name: one.state.word for one in guests} == words
    assert {one.name: one.config is not None for one in guests} == has_config
