"""What templates may do, what they may not, and where the finding points when they do it all the same."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from builder.errors import RefusalError
from builder.findings import Finding
from builder.preseed.context import PreseedContext
from builder.preseed.render import LOOP_LIMIT, NAMES, Rendered, Template, render_preseed
from builder.secret import Secret
from tests.guests import FULL, HASH, MIRROR, guest, rendered

LATE_LINE = "d-i preseed/late_command string sh /domu/late.sh\n"


def render(text: str, others: Mapping[str, str] | None = None, context: PreseedContext | None = None) -> Rendered:
    all_texts = {"preseed.cfg.j2": text, **(others or {})}
    templates = {name: Template(name, body, f"preseeds/{name}") for name, body in all_texts.items()}
    return render_preseed(context or PreseedContext(guest(), MIRROR, {}), templates)


def refusal(text: str, others: Mapping[str, str] | None = None) -> Finding:
    with pytest.raises(RefusalError) as caught:
        render(text, others)
    (finding,) = caught.value.findings
    return finding


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        pytest.param("a\n{% if %}\n", "T101", 2, "Expected an expression", id="syntax"),
        pytest.param("a\n\n{{ gest.name }}", "T102", 3, "did you mean 'guest'?", id="unknown name"),
        pytest.param("{{ guest.nmae }}", "T102", 1, "did you mean 'name'?", id="unknown field"),
        pytest.param("{{ guest.disk.lable }}", "T102", 1, "did you mean 'label'?", id="unknown field further in"),
        pytest.param("{% if guest.nothing %}x{% endif %}", "T102", 1, "Guest has no 'nothing'", id="tested, not shown"),
        pytest.param("\n{% include 'nettwork.j2' %}", "T103", 2, "did you mean 'network.j2'?", id="no such template"),
        pytest.param("{% include '/etc/passwd' %}", "T103", 1, "no template '/etc/passwd'", id="absolute path"),
        pytest.param("{% include '../secret.j2' %}", "T103", 1, "no template '../secret.j2'", id="path upwards"),
        pytest.param("{{ 'a\nb' }}", "T104", 1, "'a\\nb' contains '\\n'", id="newline printed"),
        pytest.param("{{ guest.iso }}", "T104", 1, "nothing (None)", id="None printed"),
        pytest.param("{{ ' x'|debconf }}", "T104", 1, "begins or ends with blanks", id="blanks dropped by debconf"),
        pytest.param("{{ 'x\\\\'|debconf }}", "T104", 1, "ends with a backslash", id="continuation"),
        pytest.param("{{ 'x\\\\ny'|debconf }}", "T104", 1, "reads back from disk as a newline", id="newline escape"),
        pytest.param("{{ 'x'|reveal }}", "T104", 1, "'x' is none", id="reveal of what is no secret"),
        pytest.param("{{ 1 + 'x' }}", "T104", 1, "unsupported operand", id="type error"),
        pytest.param("{{ guest.__class__ }}", "T105", 1, "__class__", id="private attribute"),
        pytest.param("{{ guest.parse_file('/etc/passwd') }}", "T105", 1, "parse_file", id="pydantic opens files"),
        pytest.param("{{ guest.model_construct() }}", "T105", 1, "model_construct", id="pydantic's methods"),
        pytest.param("{{ late.__func__.__globals__ }}", "T105", 1, "__func__", id="way to globals"),
        pytest.param("{{ guest.packages.append('x') }}", "T102", 1, "append", id="frozen lists"),
        pytest.param("{% set x = [] %}{{ x.append(1) }}", "T105", 1, "append", id="nothing is changed"),
        pytest.param(
            "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
            "T106",
            1,
            str(LOOP_LIMIT),
            id="long loops",
        ),
        pytest.param("{% for a in range(10**9) %}{% endfor %}", "T104", 1, "Range too big", id="long range"),
        pytest.param("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "T106", 1, "without end", id="recursion"),
        pytest.param("{% include 'preseed.cfg.j2' %}", "T106", 1, "without end", id="a template includes itself"),
        pytest.param("{{ 'x'|urlize }}", "T101", 1, "urlize", id="filters are few"),
        pytest.param("{{ lipsum() }}", "T102", 1, "lipsum", id="functions are few"),
    ],
)  # fmt: skip
def test_a_wrong_template_is_told_by_file_and_line(text: str, code: str, line: int, words: str) -> None:
    finding = refusal(text, {"network.j2": ""})
    assert (finding.code, finding.place.file, finding.guest) == (code, "preseeds/preseed.cfg.j2", "web1"), finding
    assert finding.place.line == line
    assert words in f"{finding.message} {finding.hint}"


def test_the_place_is_that_of_the_part_not_of_the_whole() -> None:
    finding = refusal("a\n{% include 'part.j2' %}", {"part.j2": "x\n{{ unknown }}"})
    assert str(finding.place) == "preseeds/part.j2:2"


def test_all_names_of_the_context_are_known_to_templates() -> None:
    text = "".join(f"{{% if {name} is defined %}}{name} {{% endif %}}" for name in NAMES)
    assert render(text).text.split() == list(NAMES)
    assert {"guest", "mirror", "secrets", "recipe", "password", "console"} <= set(NAMES)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("true", "true"),
        ("false", "false"),
        ("guest.ntp|debconf", "true"),
        ("12", "12"),
        ("guest.memory", "1G"),
        ("'a b'|shell", "'a b'"),
        ("'$(x) `y`'|shell", "'$(x) `y`'"),
        ('"it\'s"|shell', "'it'\"'\"'s'"),
        ("'gr\u00fc\u00df'|debconf", "gr\u00fc\u00df"),
        ("'<&>'|debconf", "<&>"),
        ("'{{ guest }}'|debconf", "{{ guest }}"),
        ("(none or 'x')|debconf", "x"),
    ],
)
def test_values_are_written_as_the_installer_reads_them(expression: str, shown: str) -> None:
    assert render(f"{{{{ {expression} }}}}\n").text == f"{shown}\n"


def test_a_secret_is_written_by_reveal_only() -> None:
    context = PreseedContext(guest(root={"password": HASH}), MIRROR, {"root.password": Secret(HASH)})
    done = render("{{ password('root')|reveal }}", context=context)
    assert done.text == HASH
    for text in (
        "{{ password('root') }}",
        "{{ password('root')|debconf }}",
        "{{ password('root').reveal() }}",
        "{{ password('root')._text }}",
        "{{ secrets['root.password'] }}",
        "{{ password('root')|attr('reveal') }}",
        "{{ secrets.values()|map(attribute='_text')|join }}",
        "{{ password('root') ~ '' }}",
        "{{ guest.root.password.hash }}",
    ):
        try:
            text_done = render(text, context=context).text
        except RefusalError as error:
            text_done = str(error.findings)
        assert HASH not in text_done, text


def test_only_the_templates_that_had_a_part_count_as_used() -> None:
    others = {"used.j2": "x", "unused.j2": "y", "never.j2": "z"}
    done = render("{% include 'used.j2' %}{% if not guest.ntp %}{% include 'never.j2' %}{% endif %}", others)
    assert [name for name, _digest in done.used] == ["preseed.cfg.j2", "used.j2"]
    assert dict(done.used)["used.j2"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    again = render("{% include 'unused.j2' %}", others)
    assert [name for name, _digest in again.used] == ["preseed.cfg.j2", "unused.j2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{% call late('x') %}true{% endcall %}", "would never run", id="nobody runs it"),
        pytest.param(
            LATE_LINE + "{% call late('x') %}true{% endcall %}\nd-i preseed/late_command string true\n",
            "would never run",
            id="a later answer wins",
        ),
        pytest.param("# " + LATE_LINE + "{% call late('x') %}{% endcall %}", "would never run", id="in a comment"),
        pytest.param("{% call late('../x') %}{% endcall %}", "no name for a step", id="path as name"),
        pytest.param("{% call late('x', where='moon') %}{% endcall %}", "installer or target", id="elsewhere"),
        pytest.param("{% call file('/etc/passwd') %}{% endcall %}", "no plain path below /domu", id="foreign path"),
        pytest.param("{% call file('/domu/../init') %}{% endcall %}", "no plain path below /domu", id="path upwards"),
        pytest.param("{% call file('/domu/x') %}{% endcall %}" * 2, "written twice", id="two of a name"),
    ],
)  # fmt: skip
def test_steps_and_files_are_not_lost_and_stay_where_they_belong(text: str, words: str) -> None:
    assert words in str(refusal(text))


def test_steps_become_numbered_files_that_one_script_runs() -> None:
    done = render(
        LATE_LINE + "{% call late('one thing') %}echo 1\n{% endcall %}"
        "{% call late('two', where='target') %}echo 2\n{% endcall %}{% call file('/domu/x/y') %}z{% endcall %}"
    )
    steps = {path: text for path, text in done.files.items() if path != "/domu/late.sh"}
    assert steps == {
        "/domu/late/001-one-thing.installer": "echo 1\n",
        "/domu/late/002-two.target": "echo 2\n",
        "/domu/x/y": "z",
    }
    assert done.text == LATE_LINE
    assert list(done.files) == sorted(done.files)


def test_the_same_inputs_give_the_same_bytes() -> None:
    one = guest(FULL)
    assert rendered(one) == rendered(one)


def test_an_own_template_replaces_a_stock_part_by_name() -> None:
    from tests.guests import stock_templates

    own = Template("clock.j2", "# my clock\n", "site/preseeds/clock.j2")
    done = rendered(guest(), templates={**stock_templates(), "clock.j2": own})
    assert "# my clock\n" in done.text
    assert "clock-setup" not in done.text
    assert dict(done.used)["clock.j2"] == own.sha256
