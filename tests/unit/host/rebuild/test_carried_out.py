"""Files placed, guests asked whether they answer, programs of `after` run: against real files, sockets and programs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.clock import Clock, StopRequestError
from builder.host.rebuild.answers import command_succeeds, port_answers
from builder.host.rebuild.files import place_files
from builder.host.rebuild.hook import run_hook
from builder.host.run import run

FILES = {"vmlinuz": b"a kernel", "web1.cfg": b"name = 'web1'", "network/vifs.json": b"{}"}
DIGESTS = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "build/web1"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "vmlinuz").chmod(0o600)
    return folder


def placed(root: Path) -> dict[str, bytes]:
    top = root / "var/lib/domu/web1"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_files_are_copied_with_their_modes_and_others_stay(build: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/lib/domu/web1/installed").mkdir(parents=True)
    (root / "var/lib/domu/web1/installed/vmlinuz").write_text("of the guest")
    (root / "var/lib/domu/web1/vmlinuz").write_text("an earlier build's")
    for _twice in range(2):
        place_files(build, "/var/lib/domu/web1", DIGESTS, root)
        assert placed(root) == FILES | {"installed/vmlinuz": b"of the guest"}
    assert (root / "var/lib/domu/web1/vmlinuz").stat().st_mode & 0o777 == 0o600


def test_a_build_that_changed_is_not_placed(build: Path, tmp_path: Path) -> None:
    (build / "vmlinuz").write_text("another kernel")
    with pytest.raises(BuilderError, match="changed after it was built"):
        place_files(build, "/var/lib/domu/web1", DIGESTS, tmp_path / "root")
    assert "vmlinuz" not in placed(tmp_path / "root")


def test_a_file_that_is_missing_is_told(build: Path, tmp_path: Path) -> None:
    (build / "web1.cfg").unlink()
    with pytest.raises(BuilderError, match=r"web1\.cfg is missing"):
        place_files(build, "/var/lib/domu/web1", DIGESTS, tmp_path / "root")


@contextmanager
def server(says: bytes) -> Iterator[int]:
    """A port of the loopback that says this to whoever calls, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    call, _ = listening.accept()
                except OSError:
                    return
                with call:
                    call.sendall(says)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize(
    ("says", "greets", "answers"),
    [
        (b"SSH-2.0-OpenSSH_10.0p2\r\n", True, True),
        (b"220 mail ESMTP\r\n", True, False),
        (b"220 mail ESMTP\r\n", False, True),
        (b"", True, False),
        (b"", False, True),
    ],
    ids=["ssh", "mail for ssh", "mail", "mute for ssh", "mute"],
)
def test_what_counts_as_an_answer(says: bytes, greets: bool, answers: bool) -> None:
    with server(says) as port:
        assert port_answers("127.0.0.1", port, greets=greets) is answers


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert not port_answers("127.0.0.1", port, greets=False)


def test_a_command_that_answers() -> None:
    assert command_succeeds(run, ["sh", "-c", 'test "$DOMU_GUEST" = web1'], {"DOMU_GUEST": "web1"})
    assert not command_succeeds(run, ["false"], {})
    with pytest.raises(BuilderError, match="is not installed"):
        command_succeeds(run, ["no-such-program-anywhere"], {})


def hook(tmp_path: Path, script: str, clock: Clock | None = None, limit: float = 30) -> int:
    return run_hook(
        ["sh", "-c", script],
        env={"DOMU_GUEST": "web1"},
        limit=limit,
        log=tmp_path / "hook-1.txt",
        lock=tmp_path / "hook.lock",
        pause=(clock or Clock()).pause,
    )


def test_a_hook_runs_and_what_it_says_is_kept(tmp_path: Path) -> None:
    assert hook(tmp_path, "echo for $DOMU_GUEST; echo oops >&2; exit 3") == 3
    assert hook(tmp_path, "echo again") == 0
    assert (tmp_path / "hook-1.txt").read_text() == "for web1\noops\nagain\n"


def test_a_hook_that_is_too_slow_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(BuilderError, match="did not end"):
        hook(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait", limit=0.5)
    child = int((tmp_path / "child").read_text())
    assert _ends(child)


def test_a_hook_ends_when_the_run_is_stopped(tmp_path: Path) -> None:
    clock = Clock()
    threading.Timer(0.3, clock.stop.set).start()
    with pytest.raises(StopRequestError):
        hook(tmp_path, f"echo $$ > {tmp_path}/self; sleep 60", clock)
    assert _ends(int((tmp_path / "self").read_text()))


def test_a_hook_waits_for_one_that_an_earlier_run_began(tmp_path: Path) -> None:
    order: list[str] = []
    with (tmp_path / "hook.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def end() -> None:
            order.append("the earlier one ended")
            fcntl.flock(other, fcntl.LOCK_UN)

        threading.Timer(0.3, end).start()
        hook(tmp_path, "true")
        order.append("this one ended")
    assert order == ["the earlier one ended", "this one ended"]


def test_the_lock_is_held_by_a_hook_whose_domu_is_gone(tmp_path: Path) -> None:
    """The descriptor goes to the program itself."""
    assert hook(tmp_path, "sleep 2 & exit 0") == 0
    with (tmp_path / "hook.lock").open("w") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _ends(pid: int) -> bool:
    """Whether the process is gone, or soon is."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if " Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False
