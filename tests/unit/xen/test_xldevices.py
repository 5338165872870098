"""The strings of disk and vif in xl configs, in the ways people write them."""

from __future__ import annotations

import pytest

from builder.xen.xldevices import DiskSpec, parse_disk, parse_nic, volume_of

V = "/dev/vg0/web1"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (f"vdev=xvda,format=raw,access=rw,target={V}", DiskSpec(V, "xvda")),
        (f"vdev=xvda,target={V},with,commas=1", DiskSpec(f"{V},with,commas=1", "xvda")),
        (f"{V},raw,xvda,rw", DiskSpec(V, "xvda")),
        (f"{V}, raw, xvda, rw", DiskSpec(V, "xvda")),
        (f"{V},,xvda", DiskSpec(V, "xvda")),
        (f"{V},raw,xvda,ro", DiskSpec(V, "xvda", writable=False)),
        (f"phy:{V},xvda,w", DiskSpec(V, "xvda")),
        (f"phy:{V},xvda2,w", DiskSpec(V, "xvda2")),
        ("phy:vg0/web1,hda,w", DiskSpec("vg0/web1", "hda")),
        ("file:/srv/x.img,xvda,r", DiskSpec("/srv/x.img", "xvda", writable=False)),
        ("tap:aio:/srv/x.img,xvda,w", DiskSpec("/srv/x.img", "xvda")),
        ("qcow2:/srv/x.img,xvda,w", DiskSpec("/srv/x.img", "xvda", format="qcow2")),
        ("file:/srv/x.iso,hdc:cdrom,r", DiskSpec("/srv/x.iso", "hdc", writable=False, cdrom=True)),
        (",hdc:cdrom,r", DiskSpec("", "hdc", writable=False, cdrom=True, format="empty")),
        ("/srv/x.iso,,hdc,cdrom", DiskSpec("/srv/x.iso", "hdc", cdrom=True)),
        ("vdev=hdc,devtype=cdrom,access=ro,target=/x", DiskSpec("/x", "hdc", writable=False, cdrom=True)),
        (f"{V},raw,xvda,rw,discard", DiskSpec(V, "xvda", more={"discard": ""})),
        (f"script=block-drbd,vdev=xvda,target={V}", DiskSpec(V, "xvda", more={"script": "block-drbd"})),
    ],
)
def test_a_disk_is_read(text: str, spec: DiskSpec) -> None:
    assert parse_disk(text) == spec


@pytest.mark.parametrize(
    "text",
    ["", V, f"{V},raw", f"{V},raw,xvda,maybe", f"{V},vmdk,xvda", f"{V},raw,xvda,rw,x", f"vdev=a,vdev=b,target={V}", "vdev=a,devtype=tape"],
)  # fmt: skip
def test_a_disk_that_xl_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_disk(text)


@pytest.mark.parametrize(
    ("target", "volume"),
    [
        ("/dev/vg0/web1", ("vg0", "web1")),
        ("vg0/web1", ("vg0", "web1")),
        ("/dev/mapper/vg0-web1", ("vg0", "web1")),
        ("/dev/mapper/vg--a-web1--disk", ("vg-a", "web1-disk")),
        ("/dev/mapper/vg0", None),
        ("/dev/disk/by-id", None),
        ("/dev/md/0", None),
        ("/dev/sda1", None),
        ("/srv/web1", None),
        ("/srv/x/web1.img", None),
        ("", None),
    ],
)
def test_volumes_are_known_by_their_paths(target: str, volume: tuple[str, str] | None) -> None:
    assert volume_of(target) == volume


def test_a_vif_is_read() -> None:
    assert parse_nic("mac=00:16:3e:00:00:01, bridge=xenbr0,trusted").values == {
        "mac": "00:16:3e:00:00:01",
        "bridge": "xenbr0",
        "trusted": "",
    }
    assert parse_nic("").values == {}
    with pytest.raises(ValueError, match="twice"):
        parse_nic("ip=192.0.2.1,ip=192.0.2.2")
