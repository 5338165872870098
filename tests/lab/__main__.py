"""The lab by hand: `python -m tests.lab images|up|again|run COMMAND|down|texts FOLDER`.

`up` stays until it is told to end (by `down`, or Ctrl-C) and keeps what the others use; `again` goes on with the disks
that the last one left.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tests.lab.guest import lay_guest
from tests.lab.image import make_dom0
from tests.lab.keeper import Standing, archive_of_this_machine, brought_up, found_up, guest_disks, some_cacher
from tests.lab.place import Up, lab_folder
from tests.lab.texts import record_texts


def main(words: list[str]) -> int:
    match words:
        case ["images", *suite]:
            folder, archive = lab_folder(), archive_of_this_machine()
            with some_cacher(folder, archive) as url:
                begin = time.monotonic()
                print(make_dom0((suite or ["bookworm"])[0], folder, archive=archive, cacher=url).folder)
                print(f"{time.monotonic() - begin:.0f} s")
                for one in guest_disks(folder, archive, url):
                    print(one.folder, one.kernel_name, f"{time.monotonic() - begin:.0f} s")
        case ["up" | "again" as how, *suite]:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            begin = time.monotonic()
            with brought_up((suite or ["bookworm"])[0], fresh=how == "up") as made:
                print(f"dom0 answers after {time.monotonic() - begin:.0f} s", flush=True)
                print(made.lab.run("xl info | grep -E '^(release|xen_version|virt_caps|total_memory)'"), flush=True)
                signal.pause()
        case ["run", command]:
            answer = needed().lab.ask(command, limit=3600)
            print(answer.out, end="")
            print(answer.err, end="", file=sys.stderr)
            return answer.status
        case ["texts", folder]:
            standing = needed()
            lay_guest(standing.lab, standing.guests[-1], standing.device(standing.guests[-1]))
            record_texts(standing.lab, standing.guests[-1], Path(folder))
        case ["down"]:
            up = Up.read(lab_folder())
            if up:
                os.kill(up.keeper, signal.SIGTERM)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def needed() -> Standing:
    """The lab that is up."""
    standing = found_up()
    if standing is None:
        raise SystemExit("no lab is up: python -m tests.lab up")
    return standing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
