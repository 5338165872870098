"""A guest's answer: what the script prints is read, everything else is refused or unknown, whatever a guest sends."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.plan.verify.answer import read_facts, read_sections
from builder.plan.verify.check import Runs, Wish
from builder.plan.verify.compare import compare
from builder.plan.verify.facts import GuestFacts, Interface, Mount, Route
from builder.plan.verify.script import BEGIN, END, SCRIPT, SECTIONS
from builder.units import Size
from builder.xen.doctor.fact import Known, Unknown
from tests.answers import SAME, answer, facts, same_guest

WHOLE = answer()


@pytest.mark.parametrize(
    "shell",
    [["dash", "-n"], ["bash", "--posix", "-n"], ["shellcheck", "--shell=sh", "--severity=warning", "-"]],
    ids=str,
)
def test_the_script_is_one_for_a_posix_shell(shell: list[str]) -> None:
    done = subprocess.run(shell, input=SCRIPT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_script_cut_off_anywhere_does_nothing(tmp_path: Path) -> None:
    # Only its last line calls anything.
    cut = SCRIPT[: SCRIPT.rindex("main")]
    done = subprocess.run(["sh", "-s"], input=cut, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [
        line
        for line in SCRIPT.splitlines()
        if line and not line[0].isspace() and not re.match(r"[a-z_0-9]+\(\) |[}#]", line)
    ] == ["main"]


def test_the_script_reads_and_writes_nothing() -> None:
    """No redirection but away, and no program that changes anything."""
    code = "\n".join(line for line in SCRIPT.splitlines() if not line.lstrip().startswith("#"))
    targets = re.findall(r"(?<![0-9<])[0-9]?>+\s*([^\s&]\S*)", re.sub(r"'[^']*'", "''", code))
    assert set(targets) <= {"/dev/null"}
    assert not re.search(r"\b(?:rm|mv|cp|tee|touch|mkdir|chmod|chown|kill|reboot|apt|apt-get|sed -i)\b ", code)


def test_every_section_has_its_function_and_its_fact() -> None:
    assert set(re.findall(r"^read_([a-z0-9]+)\(\)", SCRIPT, re.MULTILINE)) == set(SECTIONS)
    whole = facts()
    assert [one.name for one in fields(GuestFacts) if not isinstance(getattr(whole, one.name), Known)] == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "answers something else: ''", id="nothing"),
        pytest.param(b"This account is not available.\n", "answers something else: 'This account", id="no shell"),
        pytest.param(WHOLE[: len(WHOLE) // 2], "ends in the middle", id="cut"),
        pytest.param(WHOLE.removesuffix(b"\n"), "ends in the middle", id="cut at the end"),
        pytest.param(WHOLE + b"more\n", "ends in the middle", id="more behind"),
        pytest.param(WHOLE.replace(b"[kernel 0", b"[kernels 0"), "not understood: '[kernels 0'", id="unknown section"),
        pytest.param(WHOLE.replace(b"[memory 0", b"[kernel 0"), "not understood: '[kernel 0'", id="section twice"),
        pytest.param(WHOLE.replace(b"[kernel 0", b"[kernel -1"), "not understood", id="odd status"),
        pytest.param(WHOLE.replace(b" Linux", b"Linux"), "not understood: 'Linux", id="line without its blank"),
        pytest.param(WHOLE.replace(b"[kernel 0\n", b""), "not understood", id="line before any section"),
    ],
)
def test_what_is_not_the_scripts_answer_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BuilderError, match=re.escape(words)):
        read_facts(data)


def test_what_a_login_prints_first_is_passed_by() -> None:
    assert read_sections(b"Welcome!\n\x1b[1mhello\n" + WHOLE) == read_sections(WHOLE)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        pytest.param(127, "the program that tells it is not in the guest", id="no program"),
        pytest.param(124, "what tells it failed in the guest, status 124", id="time ran out"),
    ],
)
def test_a_section_that_failed_is_unknown(status: int, why: str) -> None:
    assert read_facts(answer(status={"packages": status})).packages == Unknown(why)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("kernel", "FreeBSD 14.1 amd64"),
        ("system", "suite=trixie"),
        ("system", "suite=trixie\narch=amd64\nsuite=bookworm"),
        ("memory", "lots"),
        ("memory", "1\n2"),
        ("memory", "-1"),
        ("memory", "9" * 5000),
        ("vcpus", "0-"),
        ("vcpus", "all"),
        ("disks", "disk xvda big dos"),
        ("disks", "part xvda1 1 xvda"),
        ("disks", "floppy fd0 1 -"),
        ("mounts", "1 0 8:1 / /srv rw - ext4 /dev/xvdb rw"),
        ("mounts", "nonsense"),
        ("swaps", ""),
        ("entries", "many /srv"),
        ("addresses", "{}["),
        ("addresses", "[" * 100_000),
        ("addresses", '{"ifname": 1}'),
        ("addresses", '[{"ifname": ["x"]}]'),
        ("addresses", '[{"ifname":"e","addr_info":[{"family":"inet","local":"x","prefixlen":1,"scope":"global"}]}]'),
        (
            "addresses",
            '[{"ifname":"e","addr_info":[{"family":"inet","local":"::1","prefixlen":Infinity,"scope":"global"}]}]',
        ),
        ("routes4", "[1]"),
        ("routes4", '[{"gateway":"nowhere","dev":"e"}]'),
        ("names", "fqdn=web1.example.org"),
        ("accounts", "alex:1000:/home/alex:/bin/sh"),
        ("accounts", "root:x:/root:/bin/sh"),
        ("keys", "root no-key"),
        ("keys", "root SHA256:short"),
        ("packages", "ii nginx 1.0"),
        ("boot", "kernel"),
        ("boot", "virus here"),
        ("hostkeys", "600 0 SHA256:x used /etc/ssh/k"),
        ("hostkeys", "999 0 - used /etc/ssh/k"),
        ("hostkeys", "600 0 - perhaps /etc/ssh/k"),
        ("late", "steps many"),
        ("late", "fine all"),
        ("units", "failed x"),
        ("units", "state running\nstate running"),
    ],
    ids=lambda it: it[:24],
)
def test_an_odd_section_is_unknown_with_a_reason(section: str, text: str) -> None:
    found = facts({section: text})
    names = {"addresses": "interfaces", "hostkeys": "server_keys", "names": "host_name", "sections": ""}
    fact = getattr(found, names.get(section, section))
    assert isinstance(fact, Unknown)
    assert "odd: " in fact.why
    assert fact.why.isprintable()
    assert len(fact.why) < 300


def test_facts_are_what_was_printed() -> None:
    found = facts({"mounts": SAME["mounts"] + "\n3 1 8:1 / /a\\040b\\134c ro - ext4 /dev/x\\0401 rw"})
    assert found.mounts.get()["/a b\\c"] == Mount("/a b\\c", "ext4", "/dev/x 1", writable=False)
    assert found.disks.get()["xvda"].partitions == {"xvda1": Size(7800000 * 512), "xvda5": Size(500000 * 512)}
    assert [one.name for one in found.interfaces.get()] == ["lo", "enX0"]
    assert found.interfaces.get()[0] == Interface("lo", "00:00:00:00:00:00", ())
    assert facts({"routes4": "[]"}).routes4 == Known(())
    by = facts({"routes4": '[{"dst":"default","dev":"e","via":{"family":"inet6","host":"fe80::1"}}]'}).routes4.get()
    assert [(str(route.gateway), route.interface) for route in by] == [("fe80::1", "e")]
    ways = '[{"dst":"default","nexthops":[{"gateway":"192.0.2.1","dev":"a"},{"dev":"b"}]}]'
    assert facts({"routes4": ways}).routes4.get()[1] == Route(None, "b")


def everything(data: bytes) -> None:
    """Only BuilderError comes out, and what is found can be shown."""
    said: list[str] = []
    try:
        found = compare(Wish(same_guest()), Runs(None, read_facts(data)))
    except BuilderError as error:
        said = [error.message]
    else:
        said = [finding.message + finding.hint for finding in found]
    assert all(text.isprintable() and len(text) < 1000 for text in said)


LINES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(lambda text: text.replace("\n", "")), max_size=4
)
# A machine with much else to do draws slowly, which says nothing of what is drawn.
PATIENT = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
SECTION = st.tuples(st.sampled_from(SECTIONS), st.integers(0, 255), LINES)


@PATIENT
@given(st.lists(SECTION, max_size=8, unique_by=lambda section: section[0]))
def test_any_sections_give_facts_or_a_reason(sections: list[tuple[str, int, list[str]]]) -> None:
    lines = [BEGIN]
    for name, status, text in sections:
        lines += [f"[{name} {status}", *(f" {line}" for line in text)]
    everything("\n".join([*lines, END, ""]).encode())


@PATIENT
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    everything(data)


@PATIENT
@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=12), st.integers(0, 40))
def test_any_damage_is_noticed_or_harmless(start: int, put: bytes, gone: int) -> None:
    everything(WHOLE[:start] + put + WHOLE[start + gone :])
