"""Documentation is tested: codes have their rows, README's commands exist and its help is the program's."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from builder.cli.app import app, load_commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CODE = re.compile(r"\"([A-Z][0-9]{3})\"")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def codes_in_source() -> set[str]:
    return {code for path in (ROOT / "builder").rglob("*.py") for code in CODE.findall(path.read_text())}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_every_code_has_one_row_and_every_row_a_code() -> None:
    rows = Counter(re.findall(r"^\| ([A-Z][0-9]{3}) \|", (ROOT / "docs" / "findings.md").read_text(), re.MULTILINE))
    assert not [code for code, count in rows.items() if count > 1]
    assert set(rows) == codes_in_source()


def test_readme_opens_with_what_it_does_two_commands_and_a_transcript() -> None:
    opening = README.split("\n## ")[0]
    assert "make demo" in opening
    assert "make test" in opening
    assert blocks(opening, "console")


@pytest.mark.parametrize("line", re.findall(r"^\$ domu .*$", "\n".join(p.read_text() for p in PAGES), re.MULTILINE))
def test_commands_in_the_documentation_exist(line: str) -> None:
    import typer

    load_commands()
    words = shlex.split(line.removeprefix("$ domu "), comments=True)
    command = typer.main.get_command(app)
    while words:
        word = words.pop(0)
        if word == "--site":
            words.pop(0)
        elif not word.startswith("-"):
            found = getattr(command, "commands", {}).get(word)
            if found is None:
                break
            command = found
    assert command.name != "domu" or "--" in line, f"no such command: {line}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = (
        {word.split("=")[0] for word in shlex.split(line, comments=True) if word.startswith("--")}
        - known
        - {"--site", "--help"}
    )
    assert not unknown, f"{line}: {unknown}"


@pytest.mark.parametrize("block", [block for block in blocks(README, "console") if "--help" in block.splitlines()[0]])
def test_help_in_the_readme_is_the_programs(
    block: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from builder.cli.app import call

    monkeypatch.setenv("COLUMNS", "80")
    load_commands()
    first, shown = block.split("\n", 1)
    assert call(shlex.split(first.removeprefix("$ domu "))) == 0
    assert shown.strip() == capsys.readouterr().out.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
