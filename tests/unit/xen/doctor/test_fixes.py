"""The safe mends on made-up dom0s: shown, carried out, seen to have helped, and taken back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.dom0.mend import carry_out
from builder.progress import Silence
from builder.report.doctor import fix_text
from builder.xen.doctor.check import examine
from builder.xen.doctor.checks import CHECKS
from builder.xen.doctor.fixes import Edit, Fix
from builder.xen.doctor.needs import Needs
from tests.dom0s import BOTH, WITHOUT_XEN, XENDOMAINS, MadeUp, good_dom0


def fixes_of(made: MadeUp) -> dict[str, Fix]:
    found = examine(made.facts(Needs()), Needs(), CHECKS)
    return {one.fix.name: one.fix for one in found if one.fix}


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def do(made: MadeUp, fix: Fix) -> None:
    carry_out(fix, runner=made, root=made.root, progress=Silence())


def undo(made: MadeUp, fix: Fix) -> None:
    """The lines that the fix prints, with paths below the made-up root."""
    for line in fix.undo:
        words = [f"{made.root}{word}" if word.startswith("/") else word for word in line.split()]
        if words[0] in {"mv", "rm"}:
            subprocess.run(words, check=True)


def no_log(made: MadeUp) -> None:
    made.write("/etc/default/xen", 'XENSTORED_ARGS=\nXENCONSOLED_ARGS="--timestamp=all --log=hv"\n')
    made.runs(*BOTH, arguments=())


@pytest.mark.parametrize("name", ["consoles", "grub", "rotation"])
def test_a_mend_of_files(tmp_path: Path, name: str) -> None:
    made = good_dom0(tmp_path)
    no_log(made)
    made.write("/boot/grub/grub.cfg", WITHOUT_XEN)
    made.remove("/etc/logrotate.d/consoles")
    made.says("update-grub")
    fix = fixes_of(made)[name]
    before = snapshot(tmp_path)
    do(made, fix)
    changed = {path for path, data in snapshot(tmp_path).items() if before.get(path) != data}
    assert {edit.path for edit in fix.edits} <= {f"/{path}" for path in changed}
    undo(made, fix)
    assert snapshot(tmp_path) == before


def test_consoles_are_kept_from_the_next_start(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    no_log(made)
    fix = fixes_of(made)["consoles"]
    assert "service xen restart" in fix.left
    do(made, fix)
    text = (tmp_path / "etc/default/xen").read_text()
    assert 'XENCONSOLED_ARGS="--timestamp=all --log=guest --log-dir=/var/log/xen/console"' in text
    assert "consoles" not in fixes_of(made)
    seen = [one for one in examine(made.facts(Needs()), Needs(), CHECKS) if one.code == "D119"]
    assert [one.message for one in seen] == ["guests' consoles are kept after xenconsoled's next start only"]
    assert not any("restart" in word for command in fix.commands for word in command)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "--log=guest --log-dir=/var/log/xen/console"),
        ("--log none --timestamp=all", "--timestamp=all --log=guest --log-dir=/var/log/xen/console"),
        ("--log-dir /srv --log=hv", "--log=guest --log-dir=/var/log/xen/console"),
        ("$MORE", None),
    ],
)
def test_other_arguments_stay(tmp_path: Path, old: str, new: str | None) -> None:
    made = good_dom0(tmp_path)
    made.write("/etc/default/xen", f'XENCONSOLED_ARGS="{old}"\n')
    fix = fixes_of(made).get("consoles")
    assert (fix.edits[0].after if fix else None) == (new and f'XENCONSOLED_ARGS="{new}"\n')


def test_rotation_is_what_logrotate_takes(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    made.remove("/etc/logrotate.d/consoles")
    do(made, fixes_of(made)["rotation"])
    assert "rotation" not in fixes_of(made)


@pytest.mark.parametrize(
    ("change", "name", "command"),
    [
        (lambda d: d.says("systemctl show", XENDOMAINS.replace("generated", "disabled")), "xendomains", "systemctl enable"),
        (lambda d: d.says("timedatectl show", "CanNTP=yes\nNTPSynchronized=no\n"), "ntp", "timedatectl set-ntp true"),
    ],
    ids=["xendomains", "ntp"],
)  # fmt: skip
def test_a_mend_by_a_command(tmp_path: Path, change: object, name: str, command: str) -> None:
    made = good_dom0(tmp_path)
    assert callable(change)
    change(made)
    fix = fixes_of(made)[name]
    assert " ".join(fix.commands[0]).startswith(command)
    with pytest.raises(BuilderError, match="not installed"):
        do(made, fix)
    made.fails(command, "no")
    with pytest.raises(BuilderError, match=f"{command}.* failed: no"):
        do(made, fix)
    made.says(command)
    do(made, fix)


def test_no_mend_touches_guests_or_the_network(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    no_log(made)
    made.write("/boot/grub/grub.cfg", WITHOUT_XEN)
    made.remove("/etc/logrotate.d/consoles")
    made.says("systemctl show", XENDOMAINS.replace("generated", "disabled"))
    made.says("timedatectl show", "CanNTP=yes\nNTPSynchronized=no\n")
    found = fixes_of(made)
    assert set(found) == {"consoles", "grub", "rotation", "xendomains", "ntp"}
    for fix in found.values():
        words = {word for command in fix.commands for word in command}
        assert not words & {"restart", "start", "stop", "xl", "ip", "nft", "reboot", "service", "networking"}
        assert fix.undo


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    made = good_dom0(tmp_path)
    no_log(made)
    fix = fixes_of(made)["consoles"]
    made.write("/etc/default/xen", "mine\n")
    with pytest.raises(BuilderError, match="was changed meanwhile"):
        do(made, fix)
    assert (tmp_path / "etc/default/xen").read_text() == "mine\n"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.write("/etc/default", "a file, not a folder")
    with pytest.raises(BuilderError, match="etc/default"):
        do(made, Fix("x", "x", edits=(Edit("/etc/default/xen", None, "x"),)))
    with pytest.raises(BuilderError, match="etc/default/domu cannot be made") as caught:
        do(made, Fix("x", "x", folders=("/etc/default/domu",)))
    assert caught.value.hint == "run it as root"


def test_a_fix_is_shown_line_by_line() -> None:
    edit = Edit("/etc/default/xen", "A=1\nB=2\n", "A=1\nB=3\n")
    fix = Fix("x", "do x", ("/var/x",), (edit,), (("update-grub",),), ("mv b a",), "restart it")
    assert fix_text(fix).splitlines() == [
        "x: do x",
        "    make the folder /var/x",
        "    change /etc/default/xen:",
        "      - B=2",
        "      + B=3",
        "    run update-grub",
        "    to undo: mv b a",
        "    left to do: restart it",
    ]
