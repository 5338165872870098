"""Files and folders that appear whole or not at all, on real file systems, with real kills."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host import files
from tests import mounts

CHILD = "import sys, time; from pathlib import Path; from builder.host import files; final = Path(sys.argv[1]);"


def child(code: str, *arguments: Path) -> subprocess.Popen[str]:
    """A Python of its own that can be killed; what it prints comes through a pipe."""
    argv = [sys.executable, "-c", CHILD + code, *map(str, arguments)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def wait_for_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=[0o000, 0o077, 0o777], ids=["umask 000", "umask 077", "umask 777"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_the_mode_is_the_callers(tmp_path: Path, mode: int) -> None:
    files.write_atomic(tmp_path / "out", b"data", mode=mode)
    assert (tmp_path / "out").stat().st_mode & 0o7777 == mode
    assert (tmp_path / "out").read_bytes() == b"data"


@pytest.mark.usefixtures("umask")
def test_private_means_private(tmp_path: Path) -> None:
    made = files.private_folder(tmp_path / "build")
    assert made.stat().st_mode & 0o7777 == 0o700
    made.chmod(0o755)
    assert files.private_folder(made).stat().st_mode & 0o7777 == 0o700


def test_the_old_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for data in (b"old", b"new, longer", b""):
        files.write_atomic(tmp_path / "out", data, mode=0o600)
        assert (tmp_path / "out").read_bytes() == data
    assert names(tmp_path) == ["out"]


def test_a_reader_of_the_old_file_keeps_it(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "out", b"old", mode=0o600)
    with (tmp_path / "out").open("rb") as reader:
        files.write_atomic(tmp_path / "out", b"new", mode=0o600)
        assert reader.read() == b"old"


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "out").symlink_to("victim")
    files.write_atomic(tmp_path / "out", b"new", mode=0o600)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "out").is_symlink()


def test_a_link_laid_where_the_partial_file_goes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".out.part").symlink_to("victim")
    with pytest.raises(BuilderError, match=r"\.out\.part"):
        files.write_atomic(tmp_path / "out", b"new", mode=0o600)
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_second_name_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".out.part").hardlink_to(tmp_path / "victim")
    with pytest.raises(BuilderError, match="not this user's own file"):
        files.write_atomic(tmp_path / "out", b"new", mode=0o600)
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_folder_in_the_way_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(BuilderError, match="out"):
        files.write_atomic(tmp_path / "out", b"x", mode=0o600)
    assert names(tmp_path) == ["out"]


def test_a_full_disk_leaves_the_old_file(small_disk: Path) -> None:
    files.write_atomic(small_disk / "out", b"old", mode=0o600)
    with pytest.raises(BuilderError, match="No space left") as refusal:
        files.write_atomic(small_disk / "out", bytes(64 << 20), mode=0o600)
    assert "make room" in refusal.value.hint
    assert names(small_disk) == ["out"]
    assert (small_disk / "out").read_bytes() == b"old"


def test_a_killed_writer_leaves_the_old_file_and_the_next_takes_over(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "out", b"old", mode=0o600)
    code = "\nwith files.beside(final, 0o600) as fd: files._write_all(fd, b'half'); print('half', flush=True); time.sleep(99)"
    process = child(code, tmp_path / "out")
    assert wait_for_line(process) == "half"
    kill(process)
    assert names(tmp_path) == [".out.part", "out"]
    assert (tmp_path / "out").read_bytes() == b"old"
    files.write_atomic(tmp_path / "out", b"n", mode=0o600)
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"n"


def test_two_writers_take_turns(tmp_path: Path) -> None:
    code = "\nfor _ in range(40): files.write_atomic(final, sys.argv[2].encode() * 50_000, mode=0o600)"
    writers = [child(code, tmp_path / "out", Path(letter)) for letter in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        writer.communicate()
    assert (tmp_path / "out").read_bytes() in {letter * 50_000 for letter in (b"a", b"b")}
    assert names(tmp_path) == ["out"]


# -- a base behind a front ---------------------------------------------------------------------------------------

BASE = bytes(range(256)) * 4096 + b"an odd end"


def in_front(folder: Path, **options: int) -> tuple[files.Way, bytes]:
    (folder / "base").write_bytes(BASE)
    way = files.write_in_front(b"F" * 4096, folder / "base", folder / "out", mode=0o640, **options)
    assert (folder / "out").stat().st_mode & 0o7777 == 0o640
    assert names(folder) == ["base", "out"]
    assert (folder / "base").read_bytes() == BASE
    return way, (folder / "out").read_bytes()


@pytest.mark.parametrize("skip", [0, 4096, 5000, len(BASE) - 1, len(BASE)])
def test_front_and_base_are_joined(tmp_path: Path, skip: int) -> None:
    _, found = in_front(tmp_path, skip=skip)
    assert found == b"F" * 4096 + BASE[skip:]


def test_bytes_and_files_are_joined_and_looked_at_before_the_name(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(range(256)) * 10_000)
    whole = b"front" + (tmp_path / "large").read_bytes() + b"behind"
    seen: list[tuple[bytes, bool]] = []
    files.write_joined(
        [b"front", tmp_path / "large", b"behind"],
        tmp_path / "out",
        mode=0o600,
        check=lambda stream: seen.append((stream.read(), (tmp_path / "out").exists())),
    )
    assert (tmp_path / "out").read_bytes() == whole
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    assert seen == [(whole, False)]


def test_what_the_check_refuses_leaves_the_old_file(tmp_path: Path) -> None:
    def refuse(_stream: object) -> None:
        raise BuilderError("not sound")

    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(BuilderError, match="not sound"):
        files.write_joined([b"new"], tmp_path / "out", mode=0o600, check=refuse)
    with pytest.raises(BuilderError, match="missing: No such file"):
        files.write_joined([b"new", tmp_path / "missing"], tmp_path / "out", mode=0o600, check=refuse)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out": b"old"}


def test_a_base_that_is_too_short_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"short")
    with pytest.raises(BuilderError, match="less than 4096 bytes"):
        files.write_in_front(b"", tmp_path / "base", tmp_path / "out", skip=4096, mode=0o600)
    with pytest.raises(BuilderError, match="nowhere: No such file"):
        files.write_in_front(b"", tmp_path / "nowhere", tmp_path / "out", mode=0o600)
    assert names(tmp_path) == ["base"]


def test_a_base_may_be_its_own_target(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(BASE)
    files.write_in_front(b"F" * 4096, tmp_path / "base", tmp_path / "base", mode=0o600)
    assert (tmp_path / "base").read_bytes() == b"F" * 4096 + BASE


def test_another_file_system_is_copied_to(tmp_path: Path, small_disk: Path) -> None:
    # copy_file_range answers EXDEV between file systems of different kinds (Linux 5.19)
    (tmp_path / "base").write_bytes(BASE)
    assert files.write_in_front(b"F", tmp_path / "base", small_disk / "out", mode=0o600) == "copied"
    assert (small_disk / "out").read_bytes() == b"F" + BASE


@pytest.fixture(scope="module")
def reflinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An XFS with shared blocks in a file, mounted; skipped where that cannot be had."""
    yield from mounts.xfs(tmp_path_factory.mktemp("xfs"))


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 16 MB; skipped where none can be mounted."""
    yield from mounts.mounted(tmp_path_factory.mktemp("small"), "", [], ["-o", "size=16M"], "tmpfs")


@pytest.mark.parametrize("skip", [0, 4096, 8192])
def test_blocks_are_shared_where_the_file_system_can(reflinks: Path, tmp_path: Path, skip: int) -> None:
    place = reflinks / tmp_path.name
    place.mkdir()
    way, found = in_front(place, skip=skip)
    assert way == "cloned"
    assert found == b"F" * 4096 + BASE[skip:]
    extents = subprocess.run(["filefrag", "-v", place / "out"], capture_output=True, text=True, check=True).stdout
    assert "shared" in extents


@pytest.mark.parametrize(("front", "skip"), [(100, 0), (4096, 100)], ids=["odd front", "odd skip"])
def test_what_is_not_aligned_is_copied(reflinks: Path, tmp_path: Path, front: int, skip: int) -> None:
    place = reflinks / tmp_path.name
    place.mkdir()
    (place / "base").write_bytes(BASE)
    assert files.write_in_front(b"F" * front, place / "base", place / "out", skip=skip, mode=0o600) == "copied"
    assert (place / "out").read_bytes() == b"F" * front + BASE[skip:]


# -- whole folders -----------------------------------------------------------------------------------------------


def stage(final: Path, text: str) -> None:
    with files.staged_folder(final) as staged:
        (staged / "sub").mkdir()
        (staged / "sub" / "file").write_text(text)
        files.replace_folder(staged, final)


def text_of(final: Path) -> str:
    return (final / "sub" / "file").read_text()


@pytest.fixture(params=["exchange", "two renames"])
def final(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place to build in; once with a kernel or file system that cannot exchange names."""
    if request.param == "two renames":
        monkeypatch.setattr(files, "RENAME_EXCHANGE", 1 << 30)  # a flag that renameat2 does not know: EINVAL
    return tmp_path / "we[b]1"


@pytest.mark.usefixtures("umask")
def test_folders_are_replaced_whole(final: Path) -> None:
    for text in ("first", "second", "third"):
        stage(final, text)
        assert text_of(final) == text
        assert names(final.parent) == [final.name]
        assert final.stat().st_mode & 0o7777 == 0o700


def test_an_abandoned_folder_is_gone(final: Path) -> None:
    stage(final, "old")
    with files.staged_folder(final) as staged:
        (staged / "half").touch()
    assert names(final.parent) == [final.name]
    assert text_of(final) == "old"


def test_a_killed_build_is_cleared_by_the_next_and_a_living_one_is_not(final: Path) -> None:
    code = "\nwith files.staged_folder(final) as staged: (staged / 'half').touch(); print(staged.name, flush=True); time.sleep(99)"
    dead, alive = child(code, final), child(code, final)
    left, kept = wait_for_line(dead), wait_for_line(alive)
    kill(dead)
    try:
        assert names(final.parent) == sorted([left, kept])
        stage(final, "new")
        assert names(final.parent) == sorted([kept, final.name])
    finally:
        kill(alive)


def test_a_crash_between_two_renames_brings_the_old_one_back(tmp_path: Path) -> None:
    final = tmp_path / "web1"
    stage(final, "old")
    final.rename(tmp_path / ".web1.old")
    with files.staged_folder(final):
        assert text_of(final) == "old"
    stage(tmp_path / "other", "x")
    (tmp_path / "other").rename(tmp_path / ".web1.old")
    files.clear_stale(final)
    assert names(tmp_path) == ["web1"]
    assert text_of(final) == "old"


def test_readers_see_the_old_or_the_new_folder_at_every_moment(tmp_path: Path) -> None:
    final = tmp_path / "web1"
    stage(final, "start")
    if not exchange_works(tmp_path):
        pytest.skip("this file system cannot exchange names")
    code = "sys.path.insert(0, sys.argv[2]); import test_files as t\nfor n in range(100): t.stage(final, str(n))"
    writer = child(code, final, Path(__file__).parent)
    seen = set()
    while writer.poll() is None:
        assert final.is_dir()
        with suppress(FileNotFoundError):  # the walk to the file had begun in a folder that is being removed
            seen.add(text_of(final))
    writer.communicate()
    assert writer.returncode == 0
    assert text_of(final) == "99"
    assert len(seen) > 1
    assert seen <= {"start", *map(str, range(100))}


def exchange_works(folder: Path) -> bool:
    one, other = folder / "one", folder / "other"
    one.touch()
    other.touch()
    done = bool(ctypes.CDLL(None).renameat2(-100, bytes(one), -100, bytes(other), 2) == 0)
    one.unlink()
    other.unlink()
    return done


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_not_replaced(tmp_path: Path, kind: str) -> None:
    final = tmp_path / "web1"
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        final.write_text("precious")
    else:
        final.symlink_to("elsewhere")
    with pytest.raises(BuilderError, match="is not a folder"):
        stage(final, "new")
    assert names(tmp_path) == ["elsewhere", "web1"]
