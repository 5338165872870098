"""The package carries the stock templates and the sample profiles, which the checkout reaches by links."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.guests import ROOT

pytestmark = pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")


def built(source: Path, target: Path, kind: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = (path for path in target.iterdir() if path.suffix in {".whl", ".gz"})
    return file


def carried(wheel: Path, folder: str) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as package:
        names = [name for name in package.namelist() if name.startswith(f"builder/{folder}/")]
        return {name.rpartition("/")[2]: package.read(name) for name in names}


def test_a_wheel_and_one_by_way_of_the_sdist_carry_templates_and_sample(tmp_path: Path) -> None:
    wheel = built(ROOT, tmp_path / "direct", "wheel")
    with tarfile.open(built(ROOT, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    by_way = built(unpacked, tmp_path / "again", "wheel")
    stock = {path.name: path.read_bytes() for path in (ROOT / "preseeds").glob("*.j2")}
    assert len(stock) > 10
    for one in (wheel, by_way):
        assert carried(one, "preseeds") == stock
        assert "web1.yaml" in carried(one, "sample")
