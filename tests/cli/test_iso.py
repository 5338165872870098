"""`domu iso repack` and `verify` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.cli.app import call, load_commands
from tests import images
from tests.profiles import KEY

load_commands()


@pytest.fixture(scope="module")
def netinst(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.netinst(tmp_path_factory.mktemp("cli"), images.small_tree())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a preseed, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("mine.cfg").write_text("d-i debconf/priority string critical\n")
    Path("motd").write_text("hello\n")
    return tmp_path


def repack(iso: Path, *more: str) -> int:
    return call(["iso", "repack", str(iso), "--output", "new.iso", *more])


def test_a_preseed_and_a_file_go_in(netinst: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repack(netinst, "--preseed", "mine.cfg", "--add", "/domu/motd=motd", "--delay", "0") == 0
    out = capsys.readouterr().out
    assert (
        "verified; the preseed is in /install.amd/initrd.gz, /install.amd/xen/initrd.gz, /install.amd/gtk/initrd.gz"
        in out
    )
    assert call(["iso", "verify", "new.iso", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["sound"]
    assert {check["what"]: check["detail"] for check in seen["checks"]}["preseed"].startswith("3 of 3 initrds")
    assert b"hello\n" in Path("new.iso").read_bytes()
    assert [path.name for path in (folder / "cache/domu/initrds").iterdir()]


def test_json_tells_the_same(netinst: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert repack(netinst, "--preseed", "mine.cfg", "--json", "--append", "console=ttyS0") == 0
    done = json.loads(capsys.readouterr().out)
    assert done["file"] == "new.iso"
    assert done["size"] == Path("new.iso").stat().st_size
    assert len(done["initrds"]) == 3
    assert Path("new.iso").read_bytes().count(b"console=ttyS0 --- quiet") == 4  # two entries of two menus


GUEST = f"""\
suite: {{suite}}
type: {{type}}
memory: 1G
volume_group: vg0
nics: [{{{{bridge: xenbr0}}}}]
mirror: http://mirror.example.org/debian
proxy: none
ssh_keys: ['{KEY}']
"""


@pytest.mark.parametrize(
    ("kind", "argument"),
    [("hvm", "console=ttyS0"), ("pv", "auto=true priority=critical vga=788 --- quiet")],
)
def test_a_guest_is_installed_over_its_console(
    netinst: Path, folder: Path, capsys: pytest.CaptureFixture[str], kind: str, argument: str
) -> None:
    (folder / "profiles").mkdir()
    Path("profiles/web1.yaml").write_text(GUEST.format(suite="bookworm", type=kind))
    assert repack(netinst, "--guest", "web1") == 0, capsys.readouterr().err
    image = Path("new.iso").read_bytes()
    assert b"Unattended installation of web1" in image
    assert argument.encode() in image
    assert b"d-i netcfg/get_hostname string web1" in image  # the front of an initrd is not packed


def test_a_guest_of_another_suite_is_told(netinst: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "profiles").mkdir()
    Path("profiles/web1.yaml").write_text(GUEST.format(suite="trixie", type="pv"))
    assert repack(netinst, "--guest", "web1") == 1
    assert "the ISO holds bookworm, and web1 is trixie" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        pytest.param([], 2, "name either a guest or a preseed", id="neither"),
        pytest.param(["--guest", "web1", "--preseed", "mine.cfg"], 2, "name either a guest or a preseed", id="both"),
        pytest.param(["--preseed", "mine.cfg", "--add", "motd"], 2, "write PATH=FILE", id="a file without path"),
        pytest.param(["--preseed", "none.cfg"], 1, "none.cfg: No such file", id="no preseed"),
        pytest.param(["--preseed", "mine.cfg", "--delay", "-1"], 1, "a delay is between 0 and 3599", id="delay"),
        pytest.param(["--preseed", "mine.cfg", "--append", "a;b"], 1, "'a;b' is no kernel argument", id="argument"),
        pytest.param(["--preseed", "mine.cfg", "--add", "/preseed.cfg=motd"], 1, "there already", id="twice"),
        pytest.param(["--preseed", "mine.cfg", "--add", "/proc/x=motd"], 1, "I103", id="hidden by a mount"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_is_told(
    netinst: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, complaint: str
) -> None:
    assert repack(netinst, *arguments) == status
    assert complaint in " ".join(capsys.readouterr().err.split())
    assert not Path("new.iso").exists()


def test_verify_fails_for_what_is_no_iso(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["iso", "verify", "mine.cfg"]) == 1
    out = capsys.readouterr().out
    assert "wrong  image  cannot be read" in out
    assert "I200" in out


def test_verify_says_when_there_is_no_such_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["iso", "verify", "none.iso"]) == 1
    assert "none.iso: No such file" in capsys.readouterr().err
