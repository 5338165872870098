"""`domu lint` from the command line: what it is told, what it prints where, what it writes, how it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from builder.cli import app
from builder.preseed.mends import MENDS
from tests.guests import ROOT

app.load_commands()
CLEAN = (ROOT / "tests/golden/cases/web1/preseed.cfg").read_bytes()
BROKEN = CLEAN + b"  # indented\r\n"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no suite in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOMU_SUITE", raising=False)
    monkeypatch.delenv("DOMU_SITE", raising=False)
    return tmp_path


def lint(*words: str) -> int:
    return app.call(["lint", *words])


def written(path: str, data: bytes) -> str:
    Path(path).write_bytes(data)
    return path


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_our_own_render_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(written("p.cfg", CLEAN), "--suite", "trixie", "--guest-type", "pv", "--loaded", "initrd") == app.FINE
    assert capsys.readouterr().out == "1 file linted for trixie: no findings\n"


def test_an_error_is_shown_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(written("p.cfg", BROKEN), "--suite", "trixie") == app.FINDINGS
    number = BROKEN.count(b"\n")
    out = capsys.readouterr().out
    assert f"p.cfg:{number}:3: error L102: this is no comment" in out
    assert f"    {number} |   # indented<CR>\n" in out
    assert f"    {' ' * len(str(number))} |   ^\n    move the # to the beginning of the line\n" in out
    assert out.endswith("1 file linted for trixie: 1 error, 2 notes\n")


@pytest.mark.parametrize(
    ("line", "plain", "strict"),
    [
        pytest.param(b"d-i debian-installer/theme select dark\n", app.FINE, app.FINE, id="nothing"),
        pytest.param(b"d-i clock-setup/ntp-server string ntp.example.org\r\n", app.FINE, app.FINE, id="a note"),
        pytest.param(b"d-i partman/default_label string gpt\n", app.FINE, app.FINDINGS, id="a warning"),
        pytest.param(b"d-i partman/confirm boolean yes\n", app.FINDINGS, app.FINDINGS, id="an error"),
    ],
)
def test_severities_and_statuses(line: bytes, plain: int, strict: int) -> None:
    name = written("p.cfg", CLEAN + line)
    options = ("--suite", "trixie", "--guest-type", "pv", "--loaded", "initrd")
    assert (lint(name, *options), lint(name, *options, "--strict")) == (plain, strict)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("p.cfg",), id="no suite"),
        pytest.param(("absent.cfg", "--suite", "trixie"), id="no such file"),
        pytest.param(("--suite", "trixie"), id="no file"),
        pytest.param(("p.cfg", "--suite", "trixie", "--format", "xml"), id="no such format"),
        pytest.param(("p.cfg", "--suite", "trixie", "--disk", "4Q"), id="no size"),
    ],
)
def test_usage_is_two(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    written("p.cfg", CLEAN)
    assert lint(*words) == app.USAGE
    assert "Usage: domu lint" in capsys.readouterr().err


def test_a_suite_without_a_catalogue_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(written("p.cfg", CLEAN), "--suite", "trixi") == app.FINDINGS
    assert "did you mean 'trixie'?" in capsys.readouterr().err


def test_the_suite_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOMU_SUITE", "bookworm trixie")
    assert lint(written("p.cfg", CLEAN)) == app.FINE
    assert capsys.readouterr().out.endswith("1 file linted for bookworm, trixie: no findings\n")


def test_suite_and_ignored_codes_may_come_from_the_site(capsys: pytest.CaptureFixture[str]) -> None:
    Path("profiles").mkdir()
    Path("profiles/site.yaml").write_text("suite: bookworm\nlint: {ignore: [L102, L101]}\n")
    assert lint(written("p.cfg", BROKEN)) == app.FINE
    out = capsys.readouterr().out
    assert "L102" not in out
    assert "1 file linted for bookworm: " in out


def test_what_breaks_on_upgrade_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    name = written("p.cfg", CLEAN + b"tzdata tzdata/Zones/US select Pacific\n")
    assert lint(name, "--suite", "bookworm", "--suite", "trixie", "--json") == app.FINE
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["code"], found["suites"]) == ("L203", ["trixie"])


def test_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    piped(monkeypatch, BROKEN)
    assert lint("-", "--suite", "trixie") == app.FINDINGS
    assert "stdin:" in capsys.readouterr().out


def test_machine_formats_are_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    name = written("p.cfg", BROKEN)
    assert lint(name, "--suite", "trixie", "--format", "json") == app.FINDINGS
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["files"], data["suites"], data["mended"]) == (False, ["p.cfg"], ["trixie"], {})
    assert {"file", "line", "column", "end", "code", "severity", "message", "hint", "suites"} <= data["findings"][
        0
    ].keys()
    assert lint(name, "--suite", "trixie", "--format", "sarif") == app.FINDINGS
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"
    assert lint(name, "--suite", "trixie", "--format", "junit") == app.FINDINGS
    assert ET.fromstring(capsys.readouterr().out).get("failures") == "1"  # noqa: S314 (our own)
    assert lint(name, "--suite", "trixie", "--format", "github") == app.FINDINGS
    assert all(line.startswith("::") for line in capsys.readouterr().out.splitlines())


def test_a_password_is_printed_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (
        b"d-i passwd/root-password password hunter2\n",
        b"d-i passwd/root-password hunter2\n",
        b"d-i passwd/root-pasword string  hunter2 \n",
        b" passwd/root-password hunter2\n",
        b"d-i netcfg/wireless_wep string hunter2 \\\n",
    )
    for number, line in enumerate(lines):
        name = written(f"p{number}.cfg", line + b"  # hunter2\n")
        for form in ("text", "json", "sarif", "junit", "github"):
            lint(name, "--suite", "trixie", "--suite", "bookworm", "--format", form)
        lint(name, "--suite", "trixie", "--diff")
    done = capsys.readouterr()
    assert "L121" in done.out
    leaks = [line for line in (done.out + done.err).splitlines() if "hunter2" in line]
    assert leaks == [line for line in leaks if "#" in line]  # the comments below are no secrets, as far as one can tell


def test_fix_writes_what_is_certain(capsys: pytest.CaptureFixture[str]) -> None:
    name = written("p.cfg", BROKEN)
    Path(name).chmod(0o640)
    assert lint(name, "--suite", "trixie", "--fix") == app.FINE
    assert Path(name).read_bytes() == CLEAN + b"# indented\n"
    assert Path(name).stat().st_mode & 0o777 == 0o640
    assert capsys.readouterr().out.endswith("no findings; 2 mended (L102 1, L112 1)\n")
    assert [path.name for path in Path().iterdir()] == ["p.cfg"]


def test_fix_follows_a_link() -> None:
    written("real.cfg", BROKEN)
    Path("link.cfg").symlink_to("real.cfg")
    assert lint("link.cfg", "--suite", "trixie", "--fix") == app.FINE
    assert Path("link.cfg").is_symlink()
    assert Path("real.cfg").read_bytes() == CLEAN + b"# indented\n"


def test_fix_leaves_a_good_file_untouched() -> None:
    before = Path(written("p.cfg", CLEAN)).stat()
    assert lint("p.cfg", "--suite", "trixie", "--fix") == app.FINE
    assert Path("p.cfg").stat().st_ino == before.st_ino


def test_diff_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    name = written("p.cfg", BROKEN)
    assert lint(name, "--suite", "trixie", "--fix", "--diff") == app.FINDINGS
    assert Path(name).read_bytes() == BROKEN
    done = capsys.readouterr()
    assert done.out.startswith("--- p.cfg\n+++ p.cfg (mended)\n")
    assert done.out.endswith("-  # indented<CR>\n+# indented\n")
    assert done.err.endswith("2 could be mended (L102 1, L112 1)\n")


def test_fix_of_stdin_goes_to_stdout() -> None:
    domu = Path(sys.executable).with_name("domu")
    done = subprocess.run(
        [domu, "lint", "-", "--suite", "trixie", "--fix"], input=BROKEN, capture_output=True, check=True
    )
    assert done.stdout == CLEAN + b"# indented\n"
    assert b"2 mended" in done.stderr


def test_commands_that_sh_cannot_parse_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    name = written("p.cfg", b"d-i preseed/late_command string if true; then echo 'a b'\n")
    assert lint(name, "--suite", "trixie") == app.FINDINGS
    assert "L601" in capsys.readouterr().out


def test_a_command_line_answers_questions(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        line
        for line in CLEAN.splitlines(keepends=True)
        if b"netcfg/get_hostname" not in line and b"netcfg/hostname" not in line
    ]
    name = written("p.cfg", b"".join(lines))
    options = (name, "--suite", "trixie", "--guest-type", "pv", "--json")
    lint(*options)
    asked = [found["message"] for found in json.loads(capsys.readouterr().out)["findings"] if found["code"] == "Q101"]
    assert any("netcfg/get_hostname" in message for message in asked)
    lint(*options, "--parameters", "auto=true hostname=web1 priority=critical")
    assert not [found for found in json.loads(capsys.readouterr().out)["findings"] if found["code"] == "Q101"]


def test_comments_silence_open_questions(capsys: pytest.CaptureFixture[str]) -> None:
    comments = b"# domu: ignore-file Q101: the rest is asked\n# domu: ignore-file Q103\n"
    name = written("p.cfg", comments + b"d-i clock-setup/utc boolean true\n")
    assert lint(name, "--suite", "trixie", "--strict") == app.FINE
    assert capsys.readouterr().out == "1 file linted for trixie: no findings\n"


def test_the_documentations_example_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/lint.md").read_text()
    example, rest = page.split("```text\n", 1)[1].split("```\n", 1)
    command, shown = rest.split("```console\n$ domu ", 1)[1].split("```\n", 1)[0].split("\n", 1)
    written("example.cfg", example.encode())
    assert app.call(command.split()) == app.FINDINGS
    assert capsys.readouterr().out == shown
    assert "Pa55word" not in shown


def test_the_documentation_names_every_mend() -> None:
    rows = re.findall(r"^\| (L[0-9, L]+) \|", (ROOT / "docs/lint.md").read_text(), re.MULTILINE)
    assert {code for row in rows for code in row.split(", ")} == set(MENDS)


def test_a_terminal_without_the_signs_gets_them_spelt_out() -> None:
    domu = Path(sys.executable).with_name("domu")
    name = written("p.cfg", "d-i a/b sting \N{CJK UNIFIED IDEOGRAPH-65E5}\n".encode())
    done = subprocess.run(
        [domu, "lint", name, "--suite", "trixie"], env={"PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False
    )
    assert b"d-i a/b sting \\u65e5\n" in done.stdout
