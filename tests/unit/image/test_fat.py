"""The EFI system partition as dosfstools and mtools read it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.host.run import run
from builder.image.fat import write_fat
from tests.archive import noise

LOADERS = {
    "EFI/BOOT/BOOTX64.EFI": noise("shim", 1_048_504),
    "EFI/BOOT/GRUBX64.EFI": noise("grub", 4_183_488),
    "EFI/DEBIAN/GRUB.CFG": b"configfile /boot/grub/grub.cfg\n",
}
SIZES = {f"EFI/F{size}": noise("file", size) for size in (0, 1, 1023, 1024, 1025, 4096)}
MANY = {f"EFI/MANY/F{number}.TXT": b"%d" % number for number in range(100)}


def tool(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        pytest.fail(f"{name} is not installed; apt-get install dosfstools mtools")
    return path


@pytest.mark.parametrize("files", [LOADERS, SIZES, MANY, {"A": b"x"}], ids=["loaders", "sizes", "many", "one"])
def test_it_is_sound_and_every_file_is_read_back(files: dict[str, bytes], tmp_path: Path) -> None:
    image = write_fat(files, serial=0x1234ABCD)
    assert len(image) % 2048 == 0
    (tmp_path / "efi.img").write_bytes(image)
    done = run([tool("fsck.fat"), "-n", "-v", str(tmp_path / "efi.img")])
    assert (done.status, done.stderr) == (0, b"")
    assert "2 FATs, 16 bit entries" in done.text
    for path, data in files.items():
        assert run([tool("mtype"), "-i", str(tmp_path / "efi.img"), f"::{path}"]).stdout == data
    listed = run([tool("mdir"), "-/", "-b", "-i", str(tmp_path / "efi.img"), "::"]).text.split()
    assert {path.removeprefix("::/") for path in listed if not path.endswith("/")} == files.keys()
    assert "1234-ABCD" in run([tool("mdir"), "-i", str(tmp_path / "efi.img"), "::"]).text


def test_the_same_files_are_the_same_bytes_in_whatever_order() -> None:
    assert write_fat(LOADERS, serial=1) == write_fat(dict(reversed(LOADERS.items())), serial=1)


@pytest.mark.parametrize("name", ["lower.efi", "TOOLONGNAME.EFI", "EFI/X.LONG", "A.B.C", "", "EFI/", "A B", "../X"])
def test_names_of_another_kind_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="eight and three"):
        write_fat({name: b""}, serial=1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        write_fat({"BIG": bytes(70 << 20)}, serial=1)
    with pytest.raises(ValueError, match="too many names"):
        write_fat({f"F{number}": b"" for number in range(65)}, serial=1)
