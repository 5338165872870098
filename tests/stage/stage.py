"""A dom0 for whole runs of `domu`, as a process: a folder with scripted programs, a site with a built guest, a root.

    stage = Stage.lay(tmp_path)                     # guest web1: old system on vg0/web1-disk, data on vg0/web1-srv
    done = stage.domu("rebuild", "web1", "--yes", "web1")          # the real command line, a process of its own
    done = stage.domu("rebuild", ..., kill=(point, 2))  # SIGKILL when it passes a point of Ended.points again
    stage.order(kill={"change": 3, "when": "half"}) # or by the program that it calls: see tests/stage/programs.py
    stage.order(installer=["question"], shutdown="ignored", guest="silent", hook=1, held=["vg0/web1-disk"])
    stage.order(leaves=3)                           # domains are gone when they are listed for the third time
    stage.order(say={"xl list": (1, "", "odd")})    # what a command line says instead, by how it begins
    stage.reboot(); stage.calls(); stage.state(); stage.console("web1")

Nothing outside of the folder is met: PATH has the stage's programs only, and a few real ones that do no harm.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.host.site import Site
from builder.image.manifest import Manifest, Output, digest, render_manifest
from builder.plan.watch import marker_line
from builder.profile.model import derived_uuid
from builder.workflows.build import own_inputs
from builder.workflows.check import check
from tests.dom0s import GIB, good_dom0
from tests.lvm_reports import lv, pool, pv, thin, vg
from tests.stage.domu import Ended, Job, Zygote
from tests.stage.hardware import State, opened
from tests.stage.programs import NAMES
from tests.xl import HEAD, LONG_HEAD

PROJECT = Path(__file__).parent.parent.parent
RECORDED = PROJECT / "tests/data/xl"
# Real programs that act on nothing of this machine.
_REAL = ("sh", "cat", "env", "setsid", "sleep", "true", "false", "timeout", "dpkg")
_BIN = """\
#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 70
printf '%s\\0' "$#" "$PPID" "${{DOMU_AGAIN-}}" "{stage}" "${{0##*/}}" "$@" >&3
read -r status <&3 || exit 70
IFS= read -r complaint <&3
[ -z "$complaint" ] || printf '%s\\n' "$complaint" >&2
cat <&3
exit "$status"
"""
_NOTHING = "#!/bin/sh\nexit 0\n"
PROFILE = """\
suite: trixie
memory: 1G
volume_group: vg0
nics: [{bridge: xenbr0, ipv4: {address: 192.0.2.10/24, gateway: 192.0.2.1}}]
dns: [192.0.2.53]
mirror: http://mirror.example.org/debian
proxy: none
disk: {size: 4000M, partitions: [{mount: /, minimum: 1G}]}
volumes:
  - {name: srv, size: 400M, mount: /srv}
  - {name: scratch, size: 100M, mount: /scratch, keep: false}
ssh_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEfW8EuEKb2VCqmubrN/ACJB7LqwB5FhML94uNY4n39i nobody@example.org]
ready: {command: [guest-answers, web1], limit: 3600}
after: [{command: [after-hook, restore], limit: 3600}]
"""
PROFILE_PATH = "profiles/web1.yaml"
PRECIOUS = "ten years of letters"


@dataclass(frozen=True)
class Call:
    """A program that was started; `change` counts those that change something, 0 for those that look."""

    change: int
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        return " ".join(self.argv)


@dataclass
class Stage:
    """A dom0 in `folder`."""

    folder: Path
    zygote: Zygote

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def site(self) -> Site:
        return Site(self.folder / "site")

    @classmethod
    def lay(cls, folder: Path, zygote: Zygote, *, profile: str = PROFILE, running: bool = True) -> Stage:
        """A dom0 with web1 installed long ago, built anew, and `running`."""
        stage = cls(folder, zygote)
        folder.mkdir(parents=True)
        _lay_programs(folder, zygote.port)
        _lay_root(stage.root)
        stage.site.profiles.mkdir(parents=True)
        (stage.site.profiles / "web1.yaml").write_text(profile)
        (folder / "state.json").write_text(json.dumps(_new_state()))
        stage.build()
        if running:
            with stage.changed() as state:
                state["domains"] = [stage.domain()]
                state["next"] = 4
        return stage

    def copy(self, folder: Path) -> Stage:
        """The same dom0 once more, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        _lay_programs(folder, self.zygote.port)
        return Stage(folder, self.zygote)

    def build(self, *names: str) -> None:
        """What `domu build` leaves, with little in it."""
        for artefacts in check(self.site, names).artefacts:
            guest = artefacts.guest
            folder = self.site.build / guest.name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            files = {
                "vmlinuz": f"a kernel for {guest.name}\n",
                "initrd.gz": "an initrd\n" * 1000,
                f"{guest.name}.install.cfg": artefacts.install_config,
                f"{guest.name}.cfg": artefacts.run_config,
            }
            outputs = {}
            for name, text in files.items():
                (folder / name).write_text(text)
                outputs[name] = Output(digest(text), len(text.encode()))
            manifest = Manifest(guest.name, {**own_inputs(artefacts, {}), "installer": "any"}, outputs)
            (folder / "manifest.json").write_text(render_manifest(manifest))
            with self.changed() as state:
                state["sizes"] |= {f"{guest.name}/{name}": output.size for name, output in outputs.items()}
                state["markers"][guest.name] = marker_line(guest.name)

    @staticmethod
    def domain(name: str = "web1", domid: int = 3, **more: Any) -> State:
        """A guest's domain, as the state has it."""
        config = {"type": "pv", "kernel": "", "ramdisk": "", "cmdline": "", "on_crash": "restart", "installs": False}
        state = {"state": "-b----", "made": True, "ends": None, "asked": 0}
        disks = [f"vg0/{name}-{volume}" for volume in ("disk", "srv", "scratch")]
        size = {"memory": 1024, "vcpus": 1, "disks": disks, "bridges": ["xenbr0"]}
        return {"name": name, "domid": domid, "uuid": derived_uuid(name)} | config | size | state | more

    # What a test does

    def domu(self, *argv: str, **job: Any) -> Ended:
        """Run the command line to its end, or to where `kill` (see Zygote.start) ends it."""
        return self.start(*argv, **job).wait()

    def start(self, *argv: str, **job: Any) -> Job:
        """The same, in the background."""
        words = ["--site", str(self.site.root), *argv]
        if argv[0] in _TAKES_ROOT:
            words += ["--root", str(self.root)]
        return self.zygote.start(self.folder, words, **job)

    def order(self, **orders: Any) -> None:
        with self.changed() as state:
            state["orders"] |= orders

    def reboot(self, *starts: str) -> None:
        """Power off and on; xendomains starts the run configs of these guests, where they are in place."""
        with self.changed() as state:
            state["domains"], state["next"], state["orders"] = [], 1, {}
            for volume in state["volumes"].values():
                attr = volume["row"]["lv_attr"]
                volume["row"] |= {"lv_attr": f"{attr[:4]}a{attr[5:]}", "lv_kernel_major": "253"}
            state["boots"] += 1
            boot = f"00000000-0000-4000-8000-{state['boots']:012}"
        (self.root / "proc/sys/kernel/random/boot_id").write_text(f"{boot}\n")
        for name in starts:
            self.zygote.run(self.folder, [str(self.folder / "bin/xl"), "create", f"/var/lib/domu/{name}/{name}.cfg"])

    # What a test looks at

    @contextmanager
    def changed(self) -> Iterator[State]:
        with opened(self.folder) as state:
            yield state

    def state(self) -> State:
        with opened(self.folder) as state:
            return state

    def calls(self) -> list[Call]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [Call(change, tuple(argv)) for change, argv in map(json.loads, lines)]

    def changes(self) -> list[str]:
        """Command lines that changed something, or were to."""
        return [call.line for call in self.calls() if call.change]

    def console(self, name: str) -> str:
        return (self.root / f"var/log/xen/console/guest-{name}.log").read_text()

    def journal(self, name: str = "web1") -> str:
        path = self.root / f"var/lib/domu/runs/{name}/journal"
        return path.read_text() if path.exists() else ""

    def files(self) -> dict[str, bytes]:
        """Everything below the root and the site, but locks."""
        found = {}
        for top in (self.root, self.site.root):
            for path in sorted(top.rglob("*")):
                # An empty journal is made together with its lock.
                if path.is_file() and path.name != "lock" and (path.name != "journal" or path.stat().st_size):
                    found[str(path.relative_to(self.folder))] = path.read_bytes()
        return found


_TAKES_ROOT = ("rebuild", "remove", "report")


def _lay_programs(folder: Path, port: int) -> None:
    bins = folder / "bin"
    shutil.rmtree(bins, ignore_errors=True)
    bins.mkdir()
    program = bins / ".program"
    program.write_text(_BIN.format(port=port, stage=folder))
    program.chmod(0o755)
    for name in NAMES:
        (bins / name).symlink_to(program)
    (bins / "udevadm").write_text(_NOTHING)
    (bins / "udevadm").chmod(0o755)
    for name in _REAL:
        if found := shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            (bins / name).symlink_to(found)


def _lay_root(root: Path) -> None:
    made = good_dom0(root)
    made.write("/proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-000000000000\n")
    made.write("/var/log/xen/console/guest-web1.log", "Debian GNU/Linux 12 web1 hvc0\n\nweb1 login: ")
    for folder in ("var/lib/domu", "run/lock", "etc/xen/auto"):
        (root / folder).mkdir(parents=True, exist_ok=True)


def _new_state() -> State:
    recorded = (RECORDED / "4.17-running-list-l.txt").read_text()
    dom0, domain = json.loads(recorded)
    text = (RECORDED / "4.17-running-info.txt").read_text()
    info = "".join(
        f"{line.partition(':')[0]}: FREE\n" if line.startswith("free_memory") else f"{line}\n"
        for line in text.splitlines()
    )
    disk = lv("web1-disk", 1000, lv_tags="domu,domu.disk,domu.guest=web1", lv_kernel_minor="3")
    srv = lv("web1-srv", 100, lv_tags="domu,domu.guest=web1,domu.keep,domu.volume=srv", lv_kernel_minor="4")
    scratch = lv("web1-scratch", 25, lv_tags="domu,domu.guest=web1,domu.volume=scratch", lv_kernel_minor="6")
    other = lv("other", 50, lv_kernel_minor="5")
    return {
        "boots": 0,
        "next": 1,
        "memory": 4096,
        "disk_free": 20 * GIB,
        "domains": [],
        "groups": {"vg0": {"vg": vg(), "pv": pv()}},
        "volumes": {
            "vg0/web1-disk": {"row": disk, "content": "a system, installed long ago"},
            "vg0/web1-srv": {"row": srv, "content": PRECIOUS},
            "vg0/web1-scratch": {"row": scratch, "content": "what may go"},
            "vg0/other": {"row": other, "content": "somebody else's"},
        },
        "templates": {
            "head": HEAD,
            "verbose head": LONG_HEAD,
            "info": info,
            "dom0": dom0,
            "domain": domain,
            "lv": lv(),
            "thin": thin("", 1),
            "pool": pool(),
        },
        "sizes": {},
        "markers": {},
        "orders": {},
        "changes": 0,
        "made": 0,
        "removed": [],
        "installs": {},
        "hooks": [],
    }
