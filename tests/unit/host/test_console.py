"""The kept console of a guest, read as it grows; files are renamed and emptied as logrotate and people do."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.host.console import Place, Tail, console_log, end_of, read_keeping
from builder.xen.consoles import Keeping, check_keeping, judge_keeping


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = console_log(tmp_path, "web1")
    path.parent.mkdir(parents=True)
    return path


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_is_there_and_what_comes(log: Path) -> None:
    append(log, "of an earlier domain\n")
    with Tail(log, end_of(log)) as tail:
        assert tail.read() == ""
        append(log, "one")
        assert tail.read() == "one"
        append(log, "two")
        append(log, "three")
        assert tail.read() == "twothree"


def test_a_log_that_comes_later_is_read_whole(log: Path) -> None:
    with Tail(log, end_of(log)) as tail:
        assert tail.read() == ""
        append(log, "one")
        assert tail.read() == "one"


def test_letters_of_several_bytes_may_be_cut(log: Path) -> None:
    with Tail(log, end_of(log)) as tail:
        log.write_bytes(b"\xc3")
        assert tail.read() == ""
        log.write_bytes(b"\xc3\xa9\xff")
        assert tail.read() == "\xe9\ufffd"


def test_a_log_that_is_renamed_is_read_to_its_end_first(log: Path) -> None:
    append(log, "one ")
    with Tail(log, Place(0, 0)) as tail:
        assert tail.read() == "one "
        log.rename(f"{log}.1")
        assert tail.read() == ""
        log.touch()  # logrotate's `create`, before xenconsoled is told
        append(Path(f"{log}.1"), "two ")
        assert tail.read() == "two "
        append(Path(f"{log}.1"), "three ")
        append(log, "four ")
        assert tail.read() == "three four "
        append(log, "five ")
        assert tail.read() == "five "


def test_a_place_is_found_again_in_a_log_that_was_renamed_meanwhile(log: Path) -> None:
    append(log, "before ")
    place = end_of(log)
    append(log, "one ")
    log.rename(f"{log}.1")
    append(log, "two ")
    with Tail(log, place) as tail:
        assert tail.read() == "one two "


def test_of_a_log_that_is_gone_the_new_one_is_read(log: Path) -> None:
    append(log, "before")
    place = end_of(log)
    log.rename(log.with_name("elsewhere"))
    append(log, "new")
    with Tail(log, place) as tail:
        assert tail.read() == "new"


def test_an_emptied_log_is_read_from_its_beginning(log: Path) -> None:
    append(log, "something long")
    with Tail(log, end_of(log)) as tail:
        assert tail.read() == ""
        log.write_text("new")
        assert tail.read() == "new"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["xenconsoled", "--log=guest"], Keeping("/var/log/xen/console")),
        (["xenconsoled", "--log=all", "--log-dir=/srv/consoles"], Keeping("/srv/consoles")),
        (["xenconsoled", "--log", "guest", "--log-dir", "/srv/c"], Keeping("/srv/c")),
        (["xenconsoled", "--log=hv"], judge_keeping(["--log=hv"])),
        (["xenconsoled"], judge_keeping([])),
        (None, judge_keeping(None)),
    ],
)
def test_whether_consoles_are_kept_is_read_from_the_process(
    arguments: list[str] | None, expected: Keeping, tmp_path: Path
) -> None:
    process = tmp_path / "proc/412"
    process.mkdir(parents=True)
    (process / "comm").write_text("xenconsoled\n" if arguments else "init\n")
    (process / "cmdline").write_text("".join(f"{word}\0" for word in arguments or []))
    found = read_keeping(tmp_path)
    assert found == expected
    assert [one.code for one in check_keeping(found, "web1")] == ([] if expected.folder else ["G110"])
    assert console_log(tmp_path, "web1", "/srv/c") == tmp_path / "srv/c/guest-web1.log"
