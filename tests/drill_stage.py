"""Drills on the stage: an `ip` and a `sysctl` that act on its root, a guest's stand-in that answers, builds at hand.

As a program it drills web1 on a stage, for tests that kill it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from builder.host.clock import Clock
from builder.host.run import run_apart
from builder.host.site import Site
from builder.workflows.bench import Bench
from builder.workflows.drill import DrillEnd, drill, propose_drill
from tests.stage.domu import Zygote
from tests.stage.stage import PROFILE, Stage

# Loopback: what are the stand-ins' addresses on the bridge can be listened at.
SUBNET, ADDRESSES = "127.77.0.0/24", ("127.77.0.2", "127.77.0.3")
_IP = """\
#!/bin/sh
echo "$*" >>{stage}/network
net={stage}/root/sys/class/net/domu-drill
case "$*" in
    "link show dev domu-drill") [ -d $net ] ;;
    "-json -4 route show") cat {stage}/routes ;;
    "link add name domu-drill type bridge") /bin/mkdir -p $net/bridge $net/brif && echo 0x1003 >$net/flags ;;
    "link delete dev domu-drill") /bin/rm -r $net ;;
    "address add 127.77.0.1/24 dev domu-drill" | "link set dev domu-drill up") ;;
    *) exit 1 ;;
esac
"""
_SYSCTL = """\
#!/bin/sh
echo "sysctl $*" >>{stage}/network
"""


class Seen(Stage):
    """The stage, with its site as drills see it."""

    view: Site

    @property
    def site(self) -> Site:
        return self.view


def lay(folder: Path, zygote: Zygote, port: int) -> Stage:
    """A stage on which web1 can be drilled; its stand-in counts as up when `port` takes calls."""
    ready = f"ready: {{port: {port}, limit: 60}}"
    lines = [ready if line.startswith("ready:") else line for line in PROFILE.splitlines()]
    stage = Stage.lay(folder, zygote, profile="\n".join(lines) + "\n")
    dom0 = f"drill: {{subnet: {SUBNET}, proxy: 'http://192.0.2.9:3142'}}\n"
    (stage.site.profiles / "dom0.yaml").write_text(dom0)
    stage.build()
    equip(stage)
    return stage


def equip(stage: Stage) -> None:
    (stage.folder / "routes").write_text('[{"dst":"default","dev":"eth0"},{"dst":"192.0.2.0/24","dev":"xenbr0"}]')
    for name, text in (("ip", _IP), ("sysctl", _SYSCTL)):
        program = stage.folder / "bin" / name
        program.unlink(missing_ok=True)
        program.write_text(text.format(stage=stage.folder))
        program.chmod(0o755)


def bench_of(stage: Stage, clock: Clock | None = None, environment: Mapping[str, str] | None = None) -> Bench:
    return Bench(run_apart, stage.root, stage.site.root, clock or Clock(), environment=environment or {})


def drilled(stage: Stage, *names: str, bench: Bench | None = None) -> DrillEnd:
    """A drill with builds as the stage makes them."""
    bench = bench or bench_of(stage)

    def make(site: Site, names: tuple[str, ...]) -> None:
        seen = Seen(stage.folder, stage.zygote)
        seen.view = site
        seen.build(*names)

    return drill(stage.site, propose_drill(stage.site, names, bench), bench, make=make)


@contextmanager
def answering() -> Iterator[int]:
    """Two stand-ins take calls, at this port."""
    with socket.create_server((ADDRESSES[0], 0)) as first:
        port = int(first.getsockname()[1])
        with socket.create_server((ADDRESSES[1], port)) as second:
            threads = [Thread(target=_serve, args=(one,)) for one in (first, second)]
            for thread in threads:
                thread.start()
            try:
                yield port
            finally:
                for one, thread in zip((first, second), threads, strict=True):
                    one.shutdown(socket.SHUT_RDWR)
                    thread.join()


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            call, _ = listener.accept()
        except OSError:
            return
        call.close()


if __name__ == "__main__":
    end = drilled(Stage(Path(sys.argv[1]), Zygote()), "web1")
    print(end.records[0].outcome)
