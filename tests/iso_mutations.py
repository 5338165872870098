"""Images with deliberate damage through reading, repacking and verifying: `python -m tests.iso_mutations --count 100000`.

Every image must end in a result or in an error of ours, in bounded time and memory. Prints what became of them.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar
from unittest.mock import patch

from builder.errors import BuilderError, RefusalError
from builder.host.known_initrds import KnownInitrds
from builder.image.initrd import InitrdPayload
from builder.image.iso.installer import read_installer
from builder.image.iso.records import read_path_table, walk
from builder.image.iso.volume import SECTOR, read_at, read_volume
from builder.progress import Silence
from builder.workflows.iso import Wish, repack, verify
from tests import images

SECONDS, MEMORY = 20, 1 << 30  # for one image; an ordinary one takes 0.02 s
CHANGING = ("/initrd.gz", "/isolinux.cfg", "/grub/grub.cfg", "/md5sum.txt", "/original.gz")
WISH = Wish({"/preseed.cfg": InitrdPayload(b"d-i debconf/priority string critical\n", 0o600)}, guest="web1")
_NUMBERS = (0, 1, 15, 16, 17, 18, 20, 2047, 2048, 2049, 4096, 0x7FFFFFFF, 0x80000000, 0xFFFFF800, 0xFFFFFFFF)
Span = tuple[int, int]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """A sound image and where its structures lie: name -> stretches (offset, size)."""

    data: bytes
    places: dict[str, list[Span]]

    @classmethod
    def read(cls, path: Path) -> Subject:
        with path.open("rb") as image:
            volume = read_volume(image)
            data = path.read_bytes()
            places: dict[str, list[Span]] = {
                "descriptors": [(16 * SECTOR, (volume.end - 16) * SECTOR)],
                "descriptor numbers": [(tree.offset + 80, 110) for tree in volume.descriptors],
                "catalogue": [(volume.catalog * SECTOR, 128)] if volume.catalog else [],
                "system area": [(0, 512), (512, 512), (1024, 5120), (12 * 512, 512)],
                "backup GPT": [(len(data) - 1024, 1024), (len(data) - 54 * 512, 54 * 512)],
            }
            records = [one for tree in volume.descriptors for one in walk(image, volume, tree)]
            places["records"] = [(one.place, one.length) for one in records]
            places["record numbers"] = [(one.place + 2, 16) for one in records]
            places["system use"] = [(one.place + 33, one.length - 33) for one in records if one.length > 40]
            tables = [
                place
                for tree in volume.descriptors
                for big in (False, True)
                for _, place in read_path_table(image, tree, big=big)
            ]
            places["path tables"] = [(place, 8) for place in tables]
            places["continuations"] = list(_continuations(data))
            wanted = ("initrd.gz", "original.gz", "isolinux.bin", ".cfg", "md5sum.txt")
            touched = [one for one in records if one.role == "entry" and one.path.endswith(wanted)]
            places["changed files"] = [(one.extent * SECTOR, min(one.size, 600)) for one in touched if one.size]
        places["anywhere"] = [(0, len(data))]
        return cls(data, {name: spans for name, spans in places.items() if spans})


def _continuations(data: bytes) -> Iterator[Span]:
    """CE fields, and the areas that they lead to."""
    at = data.find(b"CE\x1c\x01")
    while at >= 0:
        sector, offset, size = (struct.unpack_from("<L", data, at + 4 + 8 * number)[0] for number in range(3))
        yield at, 28
        if size and sector * SECTOR + offset + size <= len(data):
            yield sector * SECTOR + offset, size
        at = data.find(b"CE\x1c\x01", at + 4)


def _one_byte(data: bytearray, span: Span, chance: random.Random) -> None:
    data[span[0] + chance.randrange(span[1])] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _some_bytes(data: bytearray, span: Span, chance: random.Random) -> None:
    count = min(chance.randint(1, 16), span[1])
    at = span[0] + chance.randrange(span[1] - count + 1)
    data[at : at + count] = chance.randbytes(count)


def _both_orders(data: bytearray, span: Span, chance: random.Random) -> None:
    """A number that is recorded in both byte orders, so that the copies agree."""
    start = span[0] + chance.randrange(max(span[1] - 2048, 1))
    found = [
        at
        for at in range(start, min(start + 2048, span[0] + span[1]) - 7)
        if data[at : at + 4] == data[at + 4 : at + 8][::-1]
    ]
    if not found:
        return _number(data, span, chance)
    at = chance.choice(found)
    old = struct.unpack_from("<L", data, at)[0]
    new = (
        chance.choice((*_NUMBERS, old + 1, max(old - 1, 0), old * 2, chance.randrange(len(data) // SECTOR)))
        & 0xFFFFFFFF
    )
    data[at : at + 8] = struct.pack("<L", new) + struct.pack(">L", new)
    return None


def _number(data: bytearray, span: Span, chance: random.Random) -> None:
    at = span[0] + chance.randrange(max(span[1] - 3, 1))
    if at + 4 <= len(data):
        struct.pack_into(chance.choice(("<L", ">L")), data, at, chance.choice(_NUMBERS))


def _copied(data: bytearray, span: Span, chance: random.Random) -> None:
    """The same stretch once more elsewhere."""
    count = min(span[1], 4096)
    at = chance.randrange(len(data) - count)
    data[at : at + count] = data[span[0] : span[0] + count]


def _swapped(data: bytearray, _span: Span, chance: random.Random) -> None:
    one, other = (chance.randrange(min(len(data) // SECTOR, 160)) * SECTOR for _ in range(2))
    data[one : one + SECTOR], data[other : other + SECTOR] = data[other : other + SECTOR], data[one : one + SECTOR]


def _cut(data: bytearray, span: Span, chance: random.Random) -> None:
    del data[chance.choice((span[0], span[0] + span[1] // 2, chance.randrange(len(data)))) :]


_WAYS: dict[Callable[[bytearray, Span, random.Random], None], int] = {
    _one_byte: 6,
    _some_bytes: 3,
    _both_orders: 8,
    _number: 4,
    _copied: 2,
    _swapped: 1,
    _cut: 1,
}


def mutant(subject: Subject, seed: int) -> tuple[bytes, str]:
    """The image with one to four damages, the same for the same seed; and what was damaged."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    data = bytearray(subject.data)
    names = []
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        name = chance.choice(sorted(subject.places))
        span = chance.choice(subject.places[name])
        if span[0] + span[1] > len(data) or len(data) < 1 << 16:
            continue
        (way,) = chance.choices([*_WAYS], [*_WAYS.values()])
        way(data, span, chance)
        names.append(name)
    return bytes(data), names[0] if names else "nothing"


def judge(data: bytes, folder: Path) -> dict[str, str]:
    """What became of an image in the three walks; an exception that is none of ours goes through."""
    path, output = folder / "mutant.iso", folder / "out.iso"
    path.write_bytes(data)
    output.unlink(missing_ok=True)
    outcome = {}
    try:
        with path.open("rb") as image:
            read_installer(image)
        outcome["read"] = "installer found"
    except BuilderError:
        outcome["read"] = "error"
    try:
        done = repack(path, WISH, output, known=KnownInitrds(folder / "known"), progress=Silence())
        outcome["repack"] = done.way
    except RefusalError:
        outcome["repack"] = "refused"
    except BuilderError:
        outcome["repack"] = "error"
    if outcome["repack"] in {"refused", "error"}:
        assert not output.exists(), "what failed left a file"
        assert not (folder / ".out.iso.part").exists(), "what failed left a part"
    outcome["verify"] = "findings" if verify(path, progress=Silence()).findings else "sound"
    if outcome["repack"] in {"copied", "cloned", "written anew"}:
        found = verify(output, progress=Silence()).findings
        outcome["verify output"] = "findings" if found else "sound"
        assert outcome["verify"] == "findings" or not found, f"sound, and repacked it is not: {found}"
        after = contents(output)
        changed = {name for name, digest in contents(path).items() if after.get(name) != digest}
        strays = [name for name in changed if not name.endswith(CHANGING)]
        assert not strays or outcome["repack"] == "written anew" or outcome["verify"] == "findings", f"{strays} changed"
        outcome["untouched files"] = "changed in an image with findings" if strays else "the same"
    return outcome


def contents(path: Path) -> dict[str, str]:
    """A digest of every file that can be read, by path."""
    with path.open("rb") as image:
        volume = read_volume(image)
        found = {}
        for one in walk(image, volume, volume.descriptors[0]):
            if one.role == "entry" and not one.is_folder:
                found[one.path] = hashlib.sha256(read_at(image, one.extent * SECTOR, one.size)).hexdigest()
    return found


@contextmanager
def guarded() -> Iterator[None]:
    """End in an exception after SECONDS."""

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError(f"one image took more than {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


@cache
def subjects() -> tuple[Subject, ...]:
    """A netinst, the same repacked, and a mini; each about 1 MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "netinst").mkdir()
        (folder / "mini").mkdir()
        netinst = images.netinst(folder / "netinst", images.small_tree())
        mini = images.mini(folder / "mini", images.mini_tree(initrd=images.toy_initrd("tiny", 6000)), firmware=64 << 10)
        repack(netinst, WISH, folder / "again.iso", known=KnownInitrds(folder / "known"), progress=Silence())
        return tuple(Subject.read(path) for path in (netinst, folder / "again.iso", mini))


class Calls(Executor):
    """Plain calls where there were threads: waiting for those takes longer than an image does."""

    def __init__(self, _workers: int) -> None:
        pass

    def submit(self, work: Callable[P, T], /, *values: P.args, **named: P.kwargs) -> Future[T]:
        """Do it at once."""
        done: Future[T] = Future()
        try:
            done.set_result(work(*values, **named))
        except BaseException as error:  # as an executor does
            done.set_exception(error)
        return done


def run(first: int, count: int) -> tuple[Counter[str], list[str]]:
    """Judge `count` images from seed `first` on; counts, and what went wrong."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    counts: Counter[str] = Counter()
    wrong = []
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name,
        patch("builder.workflows.iso.ThreadPoolExecutor", Calls),
        patch("builder.host.iso.ThreadPoolExecutor", Calls),
    ):
        for seed in range(first, first + count):
            data, what = mutant(subjects()[seed % len(subjects())], seed)
            counts[f"damaged: {what}"] += 1
            try:
                with guarded():
                    outcome = judge(data, Path(name))
            except Exception:  # what it is about
                wrong.append(f"seed {seed} ({what}):\n{traceback.format_exc()}")
                counts["WRONG"] += 1
            else:
                counts.update(f"{walk_}: {end}" for walk_, end in outcome.items())
    return counts, wrong


def main() -> None:
    """Run as many as asked for, on all processors, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, help="one per processor unless told otherwise")
    asked = parser.parse_args()
    subjects()
    started, counts, wrong = time.monotonic(), Counter[str](), []
    step = 250
    with ProcessPoolExecutor(asked.processes) as pool:
        firsts = range(asked.first, asked.first + asked.count, step)
        for some, bad in pool.map(run, firsts, [step] * len(firsts)):
            counts += some
            wrong += bad
    for name, number in sorted(counts.items()):
        print(f"{number:>9}  {name}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{len(firsts) * step} images in {time.monotonic() - started:.0f} s, at most {peak:.0f} MB")
    shown = Counter[str]()
    for one in wrong:  # three of each kind whole, of the others the first line
        kind = one.splitlines()[-1].partition(":")[0]
        shown[kind] += 1
        print(one if shown[kind] <= 3 else one.splitlines()[0])
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
