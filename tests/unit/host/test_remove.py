"""A guest's files and its link on dom0 go, each only while it is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.host.remove import names_in_folder, remove_files, remove_link

FOLDER, LINK, CONFIG = "/var/lib/domu/web1", "/etc/xen/auto/010-web1.cfg", "/var/lib/domu/web1/web1.cfg"
NAMES = ("installed", "vmlinuz", "web1.cfg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "var/lib/domu/web1"
    (folder / "installed").mkdir(parents=True)
    for name in ("installed/vmlinuz", "vmlinuz", "web1.cfg"):
        (folder / name).write_text(name)
    (tmp_path / "var/lib/domu/db1").mkdir()
    (tmp_path / "etc/xen/auto").mkdir(parents=True)
    (tmp_path / "etc/xen/auto/010-web1.cfg").symlink_to(CONFIG)
    return tmp_path


def test_the_folder_goes_with_what_was_named_and_no_other(root: Path) -> None:
    assert names_in_folder(root, FOLDER) == NAMES
    remove_files(root, FOLDER, NAMES)
    assert names_in_folder(root, FOLDER) is None
    assert (root / "var/lib/domu/db1").is_dir()
    remove_files(root, FOLDER, NAMES)  # as a run does that was cut off right behind it


def test_half_a_folder_goes_too(root: Path) -> None:
    (root / "var/lib/domu/web1/vmlinuz").unlink()
    remove_files(root, FOLDER, NAMES)
    assert names_in_folder(root, FOLDER) is None


def test_something_new_in_it_stays_with_all_the_rest(root: Path) -> None:
    (root / "var/lib/domu/web1/notes.txt").write_text("mine")
    with pytest.raises(BuilderError, match=r"something new: notes\.txt"):
        remove_files(root, FOLDER, NAMES)
    assert names_in_folder(root, FOLDER) == ("installed", "notes.txt", "vmlinuz", "web1.cfg")


def test_a_link_in_it_goes_and_what_it_leads_to_stays(root: Path) -> None:
    (root / "elsewhere").mkdir()
    (root / "elsewhere/precious").write_text("mine")
    folder = root / "var/lib/domu/web1"
    (folder / "network").symlink_to(root / "elsewhere")
    remove_files(root, FOLDER, (*NAMES, "network"))
    assert (root / "elsewhere/precious").read_text() == "mine"


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_is_not_touched(root: Path, kind: str) -> None:
    place = root / "var/lib/domu/mail1"
    if kind == "link":
        place.symlink_to(root / "var/lib/domu/db1")
    else:
        place.write_text("mine")
    with pytest.raises(BuilderError, match="is no folder"):
        remove_files(root, "/var/lib/domu/mail1", NAMES)
    assert place.exists()


def test_the_link_goes_while_it_leads_where_it_led(root: Path) -> None:
    remove_link(root, LINK, CONFIG)
    assert not (root / "etc/xen/auto/010-web1.cfg").is_symlink()
    remove_link(root, LINK, CONFIG)


@pytest.mark.parametrize("kind", ["another target", "a file"])
def test_another_one_of_its_name_stays(root: Path, kind: str) -> None:
    place = root / "etc/xen/auto/010-web1.cfg"
    place.unlink()
    if kind == "a file":
        place.write_text("mine")
    else:
        place.symlink_to("/etc/xen/web1.cfg")
    with pytest.raises(BuilderError, match="leads elsewhere"):
        remove_link(root, LINK, CONFIG)
    assert place.is_symlink() or place.read_text() == "mine"
