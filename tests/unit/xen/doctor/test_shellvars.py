"""Files of shell assignments: read as a shell would, changed so that a shell sees the change."""

from __future__ import annotations

import subprocess
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.xen.doctor.shellvars import parse_variables, set_variable
from tests.dom0s import XEN_CFG


def as_sh_sees(text: str, name: str) -> str:
    script = f'{text}\nprintf %s "${name}"'
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=x", "x"),
        ('A="x y"', "x y"),
        ("A='x y' # note", "x y"),
        ("export A=x", "x"),
        ("A=x\nA=y", "y"),
        ("#A=x", ""),
        ("A=", ""),
        ("A=x#y", "x#y"),
        ("A= # note", ""),
        ("A=x # it's a note", "x"),
        ("if false; then\n  A=x\nfi", ""),
    ],
)
def test_reading_is_as_sh_does(text: str, value: str) -> None:
    assert parse_variables(text).get("A", "") == value == as_sh_sees(text, "A")


def test_xl_conf_has_blanks_around_its_signs() -> None:
    assert parse_variables('#autoballoon="auto"\nautoballoon = "off"\n') == {"autoballoon": "off"}


@pytest.mark.parametrize(
    ("before", "missing", "after"),
    [
        ("", "last", 'A="new"\n'),
        ("B=1\n", "last", 'B=1\nA="new"\n'),
        ("B=1\n", "first", 'A="new"\nB=1\n'),
        ("A=old\nB=1\n", "last", 'A="new"\nB=1\n'),
        ("A=old\nB=1\nA=older\n", "last", 'A=old\nB=1\nA="new"\n'),
        ("#A=x\nB=1\n", "first", '#A=x\nA="new"\nB=1\n'),
        ("if x; then\n\tA=1\nfi\n", "first", 'A="new"\nif x; then\n\tA=1\nfi\n'),
        ("AA=1", "last", 'AA=1\nA="new"\n'),
    ],
)
def test_setting(before: str, missing: Literal["first", "last"], after: str) -> None:
    assert set_variable(before, "A", "new", missing=missing) == after


def test_grubs_override_is_set_before_it_is_looked_at() -> None:
    text = "GRUB_DISTRIBUTOR=Debian\n" + XEN_CFG
    off = text.replace("#XEN_OVERRIDE_GRUB_DEFAULT=", "XEN_OVERRIDE_GRUB_DEFAULT=0")
    assert as_sh_sees(off, "GRUB_DEFAULT") == ""
    on = set_variable(off, "XEN_OVERRIDE_GRUB_DEFAULT", "1", missing="first")
    assert as_sh_sees(on, "GRUB_DEFAULT") == "Debian GNU/Linux, with Xen hypervisor"


@pytest.mark.parametrize("value", ['a"b', "$x", "`x`", "a\\", "a\nb"])
def test_values_that_a_shell_would_read_otherwise_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        set_variable("", "A", value)


WORDS = st.text("abc =-/'#{}", max_size=12)


@given(st.lists(st.sampled_from(["A=1", "#A=2", "B=3", "# note", "  A=4"])), WORDS)
def test_what_was_set_is_read_back(lines: list[str], value: str) -> None:
    changed = set_variable("\n".join(lines), "A", value)
    assert parse_variables(changed)["A"] == value
    others = [line for line in lines if not line.startswith("A=")]
    kept = changed.splitlines()
    assert all(line in kept for line in others)
