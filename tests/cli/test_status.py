"""`domu status` against a made-up dom0 with journals of runs, and where there is none."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builder.cli.app import FINDINGS, FINE, call, load_commands
from builder.errors import BuilderError
from builder.host.rebuild.journal import open_journal
from builder.plan.journal import Ended, Failed, Started
from builder.plan.status import GuestStatus
from builder.plan.steps import Step
from builder.profile.model import derived_uuid
from builder.report.status import status_data, status_text
from builder.workflows.runs import read_runs
from builder.workflows.status import status
from tests import journals
from tests.cli.test_plan import PROFILE, Host, host
from tests.xl import DOM0, LONG_HEAD, row

__all__ = ["host"]  # a fixture
PAGE = Path(__file__).parent.parent.parent / "docs/status.md"
NOW = journals.NIGHT + timedelta(hours=30)
JOURNAL = "/var/lib/domu/runs/web1/journal"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def look(host: Host, now: datetime = NOW) -> GuestStatus:
    (found,) = status(host.site, (), clock=lambda: now, runner=host, root=host.made.root)
    return found


def said(host: Host, now: datetime = NOW) -> str:
    return status_text([look(host, now)], now)


def steps(host: Host) -> tuple[Step, ...]:
    return host.plan().guests[0].steps


def runs(host: Host) -> None:
    domain = row("web1", more=f" {derived_uuid('web1')}        -                -")
    host.made.says("xl list --verbose", LONG_HEAD + DOM0 + domain)


def test_a_guest_that_was_never_rebuilt(host: Host) -> None:
    assert said(host).splitlines()[1] == "web1   yes    off     never     never"


def test_a_guest_that_is_ready(host: Host) -> None:
    host.made.write(JOURNAL, journals.text(journals.records("web1", steps(host), [1, 1, 1, 1500, 9, 31])))
    runs(host)
    assert "yes    idle (domain 3)  ready since 2026-11-22 03:25, after 26 min  never" in said(host)


def test_a_run_that_is_under_way(host: Host) -> None:
    before = journals.records("web1", steps(host), [1, 1, 1, 1500, 9, 31])
    again = journals.records("web1", steps(host), [1, 1, 1], begin=NOW, outcome=None)
    later = NOW + timedelta(seconds=303)
    host.made.write(JOURNAL, journals.text([*before, *again, Started(3, NOW + timedelta(seconds=3))]))
    with open_journal(host.made.root, "web1"):
        assert "under way: step 4 of 6, install, for 5 min, about 21 min left" in said(host, later)
        assert "    to look on: xl console -t pv web1" in said(host, later)
    assert "cut off 5 min ago at step 4 of 6, install" in said(host, later)
    assert "    domu rebuild web1" in said(host, later)


def failed(host: Host) -> None:
    whole = steps(host)
    number = next(at for at, step in enumerate(whole) if type(step).__name__ == "Install")
    before = journals.records("web1", whole, [12.0] * number + [1560.0] + [21.0] * (len(whole) - number - 1))
    again = journals.records("web1", whole, [12.0] * number, begin=journals.NIGHT + timedelta(hours=26), outcome=None)
    at = NOW - timedelta(minutes=50)
    message = "the installer waits at a question: mirror/http/hostname"
    fault = Failed(number, at, "question", message, "write into its preseed: d-i mirror/http/hostname string NAME")
    host.made.write(JOURNAL, journals.text([*before, *again, Started(number, at), fault, Ended(at, "failed")]))


def test_the_page_shows_what_the_command_says(host: Host) -> None:
    failed(host)
    (host.site.profiles / "web1.yaml").write_text(PROFILE.replace("400M", "500M"))
    runs(host)
    assert f"$ domu status\n{said(host)}\n```" in PAGE.read_text()


def test_the_same_for_programs(host: Host) -> None:
    failed(host)
    data = json.loads(json.dumps(status_data([look(host)])))
    (one,) = data["guests"]
    assert data["ok"] is False
    assert one["last"]["state"] == "failed"
    assert one["last"]["failure"]["reason"] == "question"
    assert one["last_good"]["seconds"] > 1560
    assert one["next"][-1] == "domu rebuild web1"
    assert one["unknown"] == {}


def test_a_journal_that_is_not_ours_is_told_for_its_guest_alone(host: Host) -> None:
    host.made.write(JOURNAL, "something else\n")
    found = look(host)
    assert "the journal of web1, line 1, is not what domu writes" in status_text([found], NOW)
    assert status_data([found])["guests"][0]["last"] is None


def test_what_xl_does_not_tell_is_unknown_and_the_rest_is_told(host: Host) -> None:
    host.made.fails("xl list", "xl: something new")
    assert "something new" in said(host)
    assert "never" in said(host)


def test_a_profile_with_errors(host: Host) -> None:
    (host.site.profiles / "web1.yaml").write_text(PROFILE.replace("memory: 1G", "memory: much"))
    assert "web1's profile has errors: domu check web1" in said(host)


def test_a_build_that_lost_a_file(host: Host) -> None:
    (host.site.build / "web1/vmlinuz").unlink()
    assert "vmlinuz is missing" in said(host)
    (host.site.build / "web1/vmlinuz").write_text("longer than it was")
    assert "vmlinuz was changed after it was built" in said(host)


def test_nothing_is_changed(host: Host, tmp_path: Path) -> None:
    failed(host)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    said(host)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights; another user's files stay so where we are not root anyway."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_journals_that_may_not_be_read_are_not_taken_for_none() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs_folder = Path(folder) / "var/lib/domu/runs"
        runs_folder.mkdir(parents=True)
        Path(folder).chmod(0o755)
        runs_folder.chmod(0o700 if os.geteuid() == 0 else 0)
        with as_nobody(), pytest.raises(BuilderError, match="runs cannot be read: Permission denied"):
            read_runs(Path(folder))
        runs_folder.chmod(stat.S_IRWXU)


def test_the_command(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    load_commands()
    words = ["--site", str(host.site.root), "status", "--root", str(host.made.root)]
    assert call(words) == FINE
    assert "never" in capsys.readouterr().out
    failed(host)
    assert call([*words, "--json"]) == FINDINGS
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert call([*words, "web2"]) == FINDINGS
    assert "there is no guest 'web2'" in capsys.readouterr().err


def test_the_command_off_a_dom0(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_commands()
    assert call(["--site", str(host.site.root), "status", "--root", str(tmp_path / "nothing")]) == FINE
    out = capsys.readouterr().out
    assert "web1   yes    ?       ?         ?" in out
    assert "this machine is no dom0: there is no /sys/hypervisor/type" in out
