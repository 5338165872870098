"""Our reader of xl configs beside xl's own: the same values, and nothing taken that xl refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from builder.errors import RefusalError
from builder.xen.xlcfg import Value, parse_xl_config
from tests.xl import Xl, find_xl

# What passes a string and a list of strings on untouched; without the rest xl makes no domain.
FRAME = 'name = "x"\ntype = "pv"\nbootloader = "/b"\nmemory = 64\n'


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Xl:
    return find_xl(tmp_path_factory.mktemp("xl"))


def xls_values(config: str, xl: Xl) -> tuple[Value | None, Value | None] | None:
    """What xl has for kernel and bootloader_args; None when it refuses the file."""
    done = xl.run(config)
    if done.returncode != 0:
        return None
    info = json.loads(done.stdout)["b_info"]
    args = info.get("bootloader_args")
    return info.get("kernel"), tuple(args) if args else None


def our_values(config: str) -> tuple[Value | None, Value | None] | None:
    try:
        read = parse_xl_config(config)
    except RefusalError as error:
        found = [finding.code for finding in error.findings if finding.place.line]
        return None if found == ["A106"] else ("no finding with its line", tuple(found))
    kernel, args = read.get("kernel"), read.get("bootloader_args")
    return (kernel.value if kernel else None), ((args.value or None) if args else None)


CASES = {
    "both quotes": """kernel = 'a"b'\nbootloader_args = ["c'd", 'e']\n""",
    "escapes": r"""kernel = 'a\'b\"c\\d'""" + "\n",
    "control escapes": r"""kernel = "a\tb" """ + "\n",
    "numbers": "kernel = 012\nbootloader_args = [1, 0x1f, 007]\n",
    "a number with a unit": "kernel = 10M\n",
    "letters of hexadecimal": "kernel = 1a2f\n",
    "large letters": "kernel = 0xAB\n",
    "comments": "# one\nkernel = 'a' # two\n  # three\nbootloader_args = [ # four\n 'b', # five\n # six\n]\n",
    "a comment without an end": "kernel = 'a'\n# two",
    "no end of line": "kernel = 'a'",
    "semicolons": "kernel = 'a'; bootloader_args = ['b'];;\n;\n",
    "commas at the end": "bootloader_args = ['a', 'b',]\n",
    "a comma alone": "bootloader_args = [,]\n",
    "two commas": "bootloader_args = ['a',,'b']\n",
    "no comma": "bootloader_args = ['a' 'b']\n",
    "an empty list": "bootloader_args = [ ]\n",
    "an open list": "bootloader_args = ['a'\n",
    "a list of lines": "bootloader_args = [\n\n'a'\n\n,\n\n'b'\n\n]\n",
    "a line before the value": "kernel =\n'a'\n",
    "a line before the sign": "kernel\n= 'a'\n",
    "added text": "kernel = 'a'\nkernel += 'b'\n",
    "an added list": "bootloader_args = ['a']\nbootloader_args += ['b', 'c']\n",
    "added to nothing": "kernel += 'b'\n",
    "a list added to text": "kernel = 'a'\nkernel += ['b']\n",
    "twice": "kernel = 'a'\nkernel = 'b'\n",
    "a large name": "Kernel = 'a'\n",
    "a name of all signs": "a.b_c9 = 1\nkernel = 'a'\n",
    "a carriage return": "kernel = 'a'\r\n",
    "a tab": "\tkernel\t=\t'a'\t\n",
    "a no-break space": "kernel =\u00a0'a'\n",
    "letters beyond ASCII": "kernel = 'gr\u00fc\u00df dich \u2603'\n",
    "an open string": "kernel = 'a\n",
    "a string of two lines": "kernel = 'a\\\nb'\n",
    "python": "import os\nkernel = '/x-%s' % os.uname()[2]\n",
    "a call": "kernel = str(1)\n",
    "a sum": "kernel = 'a' + 'b'\n",
    "a value behind a value": "kernel = 'a' 'b'\n",
    "no value": "kernel = \n",
    "no name": "= 'a'\n",
    "no sign": "kernel 'a'\n",
    "a hash in a string": "kernel = 'a#b;c'\n",
    "an unknown escape": r"kernel = 'a\qb'" + "\n",
    "a hexadecimal escape": r"kernel = 'a\x41b'" + "\n",
    "empty": "",
}


@pytest.mark.parametrize("kind", CASES)
def test_we_read_what_xl_reads(kind: str, xl: Xl) -> None:
    config = FRAME + CASES[kind]
    assert our_values(config) == xls_values(config, xl)


def test_octal_escapes_which_xl_misreads_are_refused(xl: Xl) -> None:
    config = FRAME + r"kernel = 'a\101b'" + "\n"
    assert xls_values(config, xl) == ("ab", None)  # for aAb: xl reads the number and forgets it
    assert our_values(config) is None


WORDS = st.sampled_from(
    ["kernel", "bootloader_args", "=", "+=", "[", "]", ",", ";", "\n", " ", "\t", "#x\n", "'a'", '"b"', "12", "0x1f", "'\\n'", "\\", "'", '"', "%", "é", "K"]
)  # fmt: skip
STATEMENTS = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).map(
            lambda text: f"kernel = '{text}'\n"
        ),
        st.lists(st.text("ab'\"\\#;,[] ", max_size=5), max_size=3).map(
            lambda items: "bootloader_args = [" + ", ".join(f'"{item}"' for item in items) + "]\n"
        ),
        st.lists(WORDS, max_size=8).map("".join),
    ),
    max_size=4,
).map("".join)


def xl_would_misread(text: str) -> bool:
    """Escapes with numbers in them, which are ours alone to refuse."""
    return any(f"\\{sign}" in text for sign in "01234567")


@given(text=STATEMENTS)
@example(text="kernel = 'a'\x85\n")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_we_never_take_what_xl_refuses_nor_read_it_otherwise(text: str, xl: Xl) -> None:
    ours = our_values(FRAME + text)
    if ours is not None or not xl_would_misread(text):
        assert ours == xls_values(FRAME + text, xl)


def lines_of(config: str) -> Iterator[int]:
    try:
        parse_xl_config(config)
    except RefusalError as error:
        yield from (finding.place.line for finding in error.findings)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("a = 1\nb = @\n", 2),
        ("a = 1\nb = [1,\n2 3]\n", 3),
        ("a = 1\n\n# x\nb c\n", 4),
        ("a = 'x\\1'\n", 1),
        ("a = 1\na += [1]\n", 2),
        ("a = 1\0\n", 1),
    ],
)
def test_the_line_is_told(config: str, line: int) -> None:
    assert list(lines_of(config)) == [line]


def test_python_is_told_to_be_python() -> None:
    with pytest.raises(RefusalError) as caught:
        parse_xl_config("import os\nname = 'x'\n", "old.cfg")
    (finding,) = caught.value.findings
    assert "xm" in finding.hint
    assert str(finding.place) == "old.cfg:1"


@pytest.mark.parametrize(
    ("text", "number"),
    [("10", 10), ("0x1f", 31), ("010", 8), ("0", 0), ("' 12'", 12), ("'-3'", -3), ("'1k'", None), ("[1]", None), ("08", None)],
)  # fmt: skip
def test_numbers_are_strtols(text: str, number: int | None) -> None:
    assert parse_xl_config(f"a = {text}\n").number("a") == number
