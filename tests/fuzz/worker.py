"""One target for some seconds, in a process of its own: guided by coverage where atheris is there, else by Hypothesis.

    python -m tests.fuzz.worker TARGET SECONDS FOLDER

The last line printed is how many inputs were tried. What breaks the target is left in FOLDER/crash-*.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

SLOWEST = 20  # seconds for one input; more is a hang
LONGEST = 20_000  # bytes of an input


def main() -> None:
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    (guided if find_spec("atheris") else blind)(name, seconds, folder)


def guided(name: str, seconds: int, folder: Path) -> None:
    """libFuzzer's own words go to standard error, the count among them (stat::number_of_executed_units)."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["builder"]):
        targets = import_module("tests.fuzz.targets")
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(targets.seeds(name)):
        (corpus / str(number)).write_bytes(seed)
    (folder / "words").write_text("".join(f'"{quoted(token)}"\n' for token in targets.TOKENS))
    options = {
        "max_total_time": seconds, "timeout": SLOWEST, "max_len": LONGEST, "print_final_stats": 1,
        "dict": folder / "words", "artifact_prefix": f"{folder}/", "verbosity": 1, "print_pcs": 0,
    }  # fmt: skip
    atheris.Setup(["fuzz", *(f"-{key}={value}" for key, value in options.items()), str(corpus)], targets.TARGETS[name])
    atheris.Fuzz()  # never returns


def quoted(token: bytes) -> str:
    """As a dictionary of libFuzzer's has it."""
    return "".join(f"\\x{byte:02x}" for byte in token)


def blind(name: str, seconds: int, folder: Path) -> None:
    """Seeds cut and joined with words and bytes, until the time is up."""
    targets = import_module("tests.fuzz.targets")
    target: Callable[[bytes], None] = targets.TARGETS[name]
    known = list(targets.seeds(name))
    pieces = st.one_of(
        st.binary(max_size=20),
        st.sampled_from(targets.TOKENS),
        st.builds(lambda seed, cut: seed[cut % (len(seed) + 1) :][:200], st.sampled_from(known), st.integers(0, 5000)),
    )
    tried = 0
    until = time.monotonic() + seconds

    @settings(
        max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(st.lists(pieces, max_size=20).map(b"".join))
    def once(data: bytes) -> None:
        nonlocal tried
        tried += 1
        begin = time.monotonic()
        try:
            target(data)
            assert time.monotonic() - begin < SLOWEST
        except BaseException:
            (folder / f"crash-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
            raise

    while time.monotonic() < until:
        once()
    print(tried)


if __name__ == "__main__":
    main()
