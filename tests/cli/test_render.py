"""`domu render`: one artefact on standard output, secrets only when asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.cli import app
from tests.guests import HASH, ROOT

app.load_commands()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a guest that has two secrets, and a mirror of its own so that apt is not asked."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "web1.yaml").write_text(
        "suite: trixie\nmemory: 1G\nvolume_group: vg0\nnics: [{bridge: xenbr0}]\n"
        "mirror: http://mirror.example.org/debian\nproxy: none\nlate_commands: [echo done]\n"
        f"root: {{password: {HASH}}}\nusers: [{{name: ann}}, {{name: bob, password: {HASH}}}]\n"
    )
    return tmp_path


def domu(site: Path, *words: str) -> int:
    return app.call(["--site", str(site), "render", *words])


@pytest.mark.parametrize(
    ("artefact", "words"),
    [
        ((), "d-i netcfg/get_hostname string web1\n"),
        (("preseed",), "d-i mirror/http/hostname string mirror.example.org\n"),
        (("scripts",), "==> /domu/late/005-late-command.installer <==\necho done\n"),
        (("install",), 'kernel = "/var/lib/domu/web1/vmlinuz"\n'),
        (("run",), 'kernel = "/usr/lib/grub-xen/grub-x86_64-xen.bin"\n'),
        (("volumes",), "vg0/web1-disk"),
        (("volumes", "--json"), '"name": "web1-disk"'),
        (("network",), '"bridge": "xenbr0"'),
        (("run", "--json"), '"text": "# Run config of web1'),
    ],
)
def test_each_artefact_is_printed(
    artefact: tuple[str, ...], words: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert domu(site, "web1", *artefact) == app.FINE
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("artefact", ["preseed", "scripts", "install", "run", "volumes", "network"])
def test_secrets_are_shown_only_when_revealed(artefact: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(site, "web1", artefact) == app.FINE
    hidden = capsys.readouterr()
    assert HASH not in hidden.out + hidden.err
    assert domu(site, "web1", artefact, "--reveal") == app.FINE
    shown = capsys.readouterr().out
    if artefact in {"preseed", "scripts"}:
        assert "Secret(...)" in hidden.out
        assert hidden.out == shown.replace(HASH, "Secret(...)")
    else:
        assert hidden.out == shown


def test_an_unknown_guest_and_artefact(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert domu(site, "web2") == app.FINDINGS
    assert "did you mean 'web1'?" in capsys.readouterr().err
    assert domu(site, "web1", "initrd") == app.USAGE


def test_own_templates_win_and_their_errors_have_a_place(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "preseeds").mkdir()
    own = site / "preseeds" / "clock.j2"
    own.write_text("# {{ guest.name }}'s own clock\n")
    assert domu(site, "web1") == app.FINE
    assert "# web1's own clock\n" in capsys.readouterr().out
    own.write_text("\n{{ gest.name }}\n")
    assert domu(site, "web1") == app.FINDINGS
    err = capsys.readouterr().err
    assert f"{own}:2: error T102" in err
    assert "did you mean 'guest'?" in err
    own.write_bytes(b"\xff")
    assert domu(site, "web1") == app.FINDINGS
    assert f"{own} is not UTF-8" in capsys.readouterr().err


def test_all_that_is_wrong_is_told_at_once(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = site / "profiles" / "web1.yaml"
    profile.write_text(f"{profile.read_text()}bootloader: pygrub\ntemplate: mine.j2\ndisk: {{size: 1G}}\n")
    assert domu(site, "web1") == app.FINDINGS
    err = capsys.readouterr().err
    assert {"X105", "T103", "R303"} <= {word.rstrip(":") for word in err.split()}


def test_the_sample_site_is_read_where_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There the stock templates and the site's own are the same folder."""
    for folder in ("profiles", "preseeds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shared = tmp_path / "profiles" / "site.yaml"
    text = shared.read_text().replace("mirror: auto", "mirror: http://mirror.example.org/debian")
    shared.write_text(text.replace("proxy: auto", "proxy: none"))
    assert domu(tmp_path, "web1") == app.FINE
    assert capsys.readouterr().out == (ROOT / "tests/golden/cases/web1/preseed.cfg").read_text()
