"""What LVM reports, as facts: words for letters, and no word for what is not known."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.storage.facts import parse_report, report_arguments
from builder.storage.uses import join_uses, parse_mountinfo, parse_swaps
from builder.units import Size
from tests.lvm_reports import facts, lv, pool, pv, report, text, thin, vg

# lvm2 2.03.16 on a loop device, activation off; the second group is one disk that belongs to none.
REAL = """
  {
      "report": [
          {
              "vg": [
                  {"vg_name":"vg0", "vg_uuid":"t25Vby-mQQw-HRTs-Gw6H-4dtM-1G8O-Fe7we3", "vg_attr":"wz--n-", \
"vg_extent_size":"4194304", "vg_extent_count":"511", "vg_free_count":"498", "vg_tags":""}
              ]
              ,
              "pv": [
                  {"pv_name":"/dev/loop1", "pv_uuid":"0pHqSV-hnmh-xEdR-DF82-jvQq-ECTP-11V7j3", "pv_attr":"a--", \
"pv_pe_count":"511", "pv_pe_alloc_count":"13"}
              ]
              ,
              "lv": [
                  {"lv_name":"web1-disk", "lv_uuid":"Ff1Xq7-QMwq-ut1x-CSBJ-QgjB-YMft-UAju7J", \
"lv_attr":"-wi-XX----", "lv_size":"41943040", "lv_tags":"domu,domu.disk,domu.guest=web1", "lv_layout":"linear", \
"lv_role":"public", "pool_lv":"", "origin":"", "lv_kernel_major":"-1", "lv_kernel_minor":"-1", "data_percent":"", \
"metadata_percent":"", "lv_metadata_size":""}
              ]
              ,
              "seg": [
                  {"lv_uuid":"Ff1Xq7-QMwq-ut1x-CSBJ-QgjB-YMft-UAju7J", "segtype":"linear", "chunk_size":"0"}
              ]
          }
          ,
          {
              "pv": [
                  {"pv_name":"/dev/loop2", "pv_uuid":"9Y1Xsd-OaQa-3bAk-2cYn-T0Vn-k0wK-Q4yF1b", "pv_attr":"---", \
"pv_pe_count":"0", "pv_pe_alloc_count":"0"}
              ]
          }
      ]
  }
"""


def test_a_real_report() -> None:
    (group,) = parse_report(REAL).groups
    assert (group.name, group.extent, group.extents, group.free) == ("vg0", Size.parse("4M"), 511, 498)
    (volume,) = group.volumes
    assert (volume.path, volume.size, volume.device) == ("vg0/web1-disk", Size.parse("40M"), "")
    assert volume.tags == {"domu", "domu.disk", "domu.guest=web1"}
    assert (volume.state.kind, volume.state.is_active, volume.is_open) == ("plain", None, None)


def test_a_thin_pool_and_what_is_in_it() -> None:
    found = facts(pool(), thin("web1-disk", 3000), lv("[thin_tdata]", 2000, lv_attr="Twi-ao----", lv_role="private"))
    tank, volume, part = found.groups[0].volumes
    assert (tank.is_pool, tank.chunk, tank.data_percent) == (True, Size.parse("64K"), Decimal("10.00"))
    assert (tank.metadata_size, tank.metadata_percent) == (Size.parse("8M"), Decimal("11.00"))
    assert (volume.is_thin, volume.pool, volume.data_percent) == (True, "thin", Decimal(50))
    assert (part.name, part.hidden, part.is_open) == ("thin_tdata", True, True)


@pytest.mark.parametrize(
    ("attr", "kind", "is_active", "is_open", "trouble"),
    [
        ("-wi-a-----", "plain", True, False, ""),
        ("-wi-ao----", "plain", True, True, ""),
        ("-wi-------", "plain", False, False, ""),
        ("-wi-XX--X-", "plain", None, None, "unknown"),
        ("-wi-s-----", "plain", True, False, "suspended"),
        ("owi-aos---", "snapshot origin", True, True, ""),
        ("swi-I-s---", "snapshot", True, False, "invalid snapshot"),
        ("Vwi-aotz--", "thin volume", True, True, ""),
        ("Vwi---tz-k", "thin volume", False, False, ""),
        ("twi-cotzM-", "thin pool", True, True, "thin pool needs a check, metadata read only"),
        ("twi-aotzD-", "thin pool", True, True, "out of data space"),
        ("rwi-a-r-p-", "raid", True, False, "partial"),
        ("pwC-aom---", "pvmove", True, True, ""),
        ("cwi-aom---", "under conversion", True, True, ""),
    ],
)
def test_letters_of_a_volume(attr: str, kind: str, *, is_active: bool, is_open: bool, trouble: str) -> None:
    (volume,) = facts(lv(lv_attr=attr)).volumes()
    state = volume.state
    assert (state.kind, state.is_active, volume.is_open, state.trouble) == (kind, is_active, is_open, trouble)


@pytest.mark.parametrize("position", range(10))
def test_a_letter_that_is_not_known_is_an_error(position: int) -> None:
    attr = "-wi-a-----"
    with pytest.raises(BuilderError, match=r"'q' in the attributes .* of vg0/web1-disk is not known"):
        facts(lv(lv_attr=attr[:position] + "q" + attr[position + 1 :]))


@pytest.mark.parametrize("attr", ["", "-wi-a----", "-wi-a------"])
def test_another_number_of_letters_is_an_error(attr: str) -> None:
    with pytest.raises(BuilderError, match="are not 10 letters"):
        facts(lv(lv_attr=attr))


@pytest.mark.parametrize("attr", ["qz--n-", "wq--n-", "wzq-n-", "wz-qn-", "wz--q-", "wz--nq"])
def test_a_letter_of_a_group_that_is_not_known_is_an_error(attr: str) -> None:
    with pytest.raises(BuilderError, match="of vg0 is not known"):
        facts(group=vg(vg_attr=attr))


@pytest.mark.parametrize(
    ("attr", "expected"),
    [("wz--n-", ""), ("rz--n-", "not writable"), ("wzx-n-", "exported"), ("wz-pn-", "partial"), ("wz--ns", "shared")],
)
def test_letters_of_a_group(attr: str, expected: str) -> None:
    state = facts(group=vg(vg_attr=attr)).groups[0].state
    said = {"not writable": not state.writable, "exported": state.exported, "partial": state.partial}
    assert [word for word, is_so in said.items() if is_so] + [state.shared] * bool(state.shared) == (
        [expected] if expected else []
    )


def test_extents_that_may_not_be_allocated_are_not_free() -> None:
    disks = [pv("/dev/sda3"), pv("/dev/sdb1", pv_attr="u--"), pv("[unknown]", pv_attr="a-m")]
    group = facts(pvs=disks).groups[0]
    assert (group.free, group.state.partial) == (4000, True)


@pytest.mark.parametrize("attr", ["", "a-", "q--", "aq-", "a-q"])
def test_a_letter_of_a_disk_that_is_not_known_is_an_error(attr: str) -> None:
    with pytest.raises(BuilderError, match="are not known"):
        facts(pvs=[pv(pv_attr=attr)])


def test_two_groups_of_one_name_are_none() -> None:
    found = parse_report(text(report(), report(group=vg(vg_uuid="another")), report(group=vg("vg1"))))
    assert found.group("vg0") is None
    assert found.twice == {"vg0"}
    assert found.group("vg1") is not None


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", '{"report": 7}', "null", text(report([{"lv_name": "x", "lv_layout": ""} | {}]))[:-1]]
)
def test_what_is_no_report_is_an_error(said: str) -> None:
    with pytest.raises(BuilderError, match="LVM's report"):
        parse_report(said)


@pytest.mark.parametrize(("column", "value"), [("lv_size", "1.00g"), ("data_percent", "half"), ("lv_size", "-1")])
def test_a_number_that_is_none_is_an_error(column: str, value: str) -> None:
    with pytest.raises(BuilderError, match=column):
        facts(lv() | {column: value})


def test_a_column_that_is_missing_is_an_error() -> None:
    row = lv()
    del row["lv_tags"]
    with pytest.raises(BuilderError, match="has no lv_tags"):
        facts(row)


def test_the_arguments_name_a_report_before_each_list_of_columns() -> None:
    words = report_arguments()
    assert words[0] == "fullreport"
    assert words.count("--configreport") == words.count("--options") == 4


MOUNTS = """\
22 28 0:21 / /sys rw,nosuid - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg0-root rw
95 28 253:4 / /srv/old\\040data rw - ext4 /dev/mapper/vg0-web1--srv rw
96 28 253:4 /a /srv/a rw - ext4 /dev/mapper/vg0-web1--srv rw
"""


def test_who_holds_a_device() -> None:
    mounts = parse_mountinfo(MOUNTS)
    assert mounts["253:4"] == ("mounted on /srv/old data", "mounted on /srv/a")
    uses = join_uses(mounts, {"253:4": ("in use as swap",)})
    (volume,) = facts(lv(lv_kernel_minor="4")).with_uses(uses).volumes()
    assert volume.used_by == ("mounted on /srv/old data", "mounted on /srv/a", "in use as swap")
    (inactive,) = facts(lv(lv_kernel_major="-1", lv_kernel_minor="-1")).with_uses({"": ("nobody",)}).volumes()
    assert inactive.used_by == ()


def test_swaps() -> None:
    swaps = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/dm-3 partition 1048572 0 -2\n"
    assert parse_swaps(swaps) == ("/dev/dm-3",)
    assert parse_swaps("") == ()


def test_a_report_of_a_real_dom0() -> None:
    """Xen 4.17, lvm2 2.03.16: a pool, thin and thick volumes with snapshots, one mounted, one that a domain has."""
    data = Path(__file__).parents[2] / "data/lvm"
    uses = parse_mountinfo((data / "dom0-mountinfo").read_text())
    found = parse_report((data / "dom0-report.json").read_text()).with_uses(uses)
    seen = {one.name: (one.state.kind, one.state.is_active, one.is_open, one.hidden) for one in found.volumes()}
    assert seen == {
        "lvol0_pmspare": ("metadata", False, False, True),
        "trixie-disk": ("plain", True, True, False),
        "vols-disk": ("thin volume", True, False, False),
        "vols-pool": ("thin pool", True, True, False),
        "vols-pool_tdata": ("thin pool data", True, True, True),
        "vols-pool_tmeta": ("metadata", True, True, True),
        "vols-snap": ("snapshot", True, False, False),
        "vols-srv": ("snapshot origin", True, True, False),
        "vols-thinsnap": ("thin volume", False, False, False),
    }
    pool, origin = found.find("vg0", "vols-pool"), found.find("vg0", "vols-srv")
    assert pool is not None
    assert origin is not None
    assert (pool.chunk, pool.metadata_percent, pool.state.zeroes) == (Size.parse("64K"), Decimal("10.94"), True)
    assert origin.used_by == ("mounted on /mnt/vols",)
    assert found.groups[0].free == 5549
