"""domu rebuild in a real dom0: guests of Debian 13 installed without a question, PV and PVH, their data kept.

An installation takes half an hour and more under emulation, so that each serves several checks.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.dom0 import Lab
from tests.lab.keeper import Standing
from tests.lab.mirror import KEYRING, lay_mirror
from tests.lab.rebuild import ADDRESSES, PV, PVH, SITE, keep_runs, profiles, served
from tests.lab.transcript import Transcript

pytestmark = pytest.mark.lab
LIMIT = 3 * 3600.0  # seconds; an idle machine takes half an hour
_WRITE = "head -c 16M /dev/urandom >/srv/data && mkdir -p /srv/www && echo kept >/srv/www/index.html && sync"
_SUMS = "cd /srv && find . -type f -exec sha256sum {} + | sort -k 2"
_MEASURES = "cat /sys/hypervisor/guest_type; stat -c %W /; findmnt -n -o SOURCE,FSTYPE /srv"


@pytest.fixture(scope="module")
def lab_site(standing: Standing, domu: str) -> Lab:
    """dom0 with a site as a user lays it."""
    print(domu)
    lab, keyring = standing.lab, lay_mirror(standing.folder / "mirror")
    public_key = lab.read("/root/.ssh/authorized_keys").strip()
    lab.run(f"rm -rf {SITE} && domu init {SITE} && rm {SITE}/profiles/*.yaml", limit=600)
    for name, text in profiles(standing.archive, public_key).items():
        lab.write(f"{SITE}/profiles/{name}", text)
    lab.write(f"{SITE}/profiles/{KEYRING}", keyring.read_bytes())
    return lab


@pytest.fixture
def transcript(lab_site: Lab, standing: Standing, request: pytest.FixtureRequest) -> Iterator[Transcript]:
    """What is typed and printed in dom0, in the site's folder; kept with all that the runs keep."""
    folder = standing.folder / "rebuild"
    folder.mkdir(exist_ok=True)
    with Transcript(lab_site, folder / f"{request.node.name}.txt", SITE) as made:
        yield made
    keep_runs(lab_site, folder)


@pytest.fixture(scope="module")
def files(lab_site: Lab) -> str:
    """Written to the first guest's data volume; the digests."""
    lab_site.guest(ADDRESSES[PV], _WRITE)
    return lab_site.guest(ADDRESSES[PV], _SUMS)


def test_a_pv_guest_is_installed_and_as_its_profile_says(transcript: Transcript) -> None:
    transcript.run("domu doctor")
    assert transcript.run(f"domu build {PV}", limit=1800).status == 0
    transcript.run(f"domu boot {PV}")
    assert transcript.run(f"domu plan {PV}").status == 0
    rebuilt_and_verified(transcript, PV)


def test_a_second_rebuild_keeps_the_data_and_comes_from_the_cache(
    transcript: Transcript, lab_site: Lab, standing: Standing, files: str
) -> None:
    log = standing.folder / "cacher/log/apt-cacher.log"
    before, born = log.stat().st_size, lab_site.guest(ADDRESSES[PV], "stat -c %W /")
    assert transcript.run(f"domu plan {PV}").status == 0
    rebuilt_and_verified(transcript, PV)
    assert lab_site.guest(ADDRESSES[PV], "stat -c %W /") != born
    assert lab_site.guest(ADDRESSES[PV], _SUMS) == files
    got = served(log.read_bytes()[before:].decode())
    print(got, f"{got.share:.2%} from the cache")
    (standing.folder / "rebuild/share.txt").write_text(f"{got} {got.share:.4%}\n")
    assert got.sent > 50_000_000
    assert got.files == 0  # every package and every index came from the cache
    assert got.share >= 0.99


def test_a_pvh_guest_is_installed_and_as_its_profile_says(transcript: Transcript, lab_site: Lab) -> None:
    lab_site.run(f"xl shutdown -w {PV} || xl destroy {PV} || true", limit=600)  # one guest at a time
    assert transcript.run(f"domu build {PVH}", limit=1800).status == 0
    transcript.run(f"domu boot {PVH}")
    assert transcript.run(f"domu plan {PVH}").status == 0
    rebuilt_and_verified(transcript, PVH)


def rebuilt_and_verified(transcript: Transcript, name: str) -> None:
    """Nobody answers anything: the command has no terminal and no input."""
    assert transcript.run(f"domu rebuild {name} --yes {name}", limit=LIMIT).status == 0
    assert transcript.run(f"domu verify {name}").status == 0
    transcript.run(f"ssh root@{ADDRESSES[name]} '{_MEASURES}'")
