"""`domu init`: a new site that is sound at once, and never over what is there; the wheel carries what it needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from builder.host.site import Site, load

load_commands()
ROOT = Path(__file__).parents[2]


def test_a_new_site_is_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "site"
    assert call(["init", str(target)]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["domu", "domu"]
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == [
        ".gitignore",
        "preseeds/README",
        "profiles/dom0.schema.json",
        "profiles/dom0.yaml",
        "profiles/schema.json",
        "profiles/site.yaml",
        "profiles/web1.yaml",
        "profiles/webserver.yaml",
    ]
    loaded = load(Site(target))
    assert [str(finding) for finding in loaded.findings] == []
    assert [guest.name for guest in loaded.guests] == ["web1"]
    assert call(["--site", str(target), "show", "web1"]) == 0


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    assert call(["init", str(tmp_path)]) == 0


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("mine")
    assert call(["init", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    assert call(["init", str(tmp_path / "notes")]) == 1
    assert call(["init", "/proc/none/site"]) == 1


def test_the_wheel_carries_the_sample(tmp_path: Path) -> None:
    build = [sys.executable, "-c", "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"]
    pytest.importorskip("hatchling", reason="the build backend is not installed here")
    subprocess.run([*build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("site.yaml", "web1.yaml", "webserver.yaml"):
        assert f"builder/sample/{name}" in names
