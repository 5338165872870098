"""Made-up volume groups for properties: mostly a guest's own sound volumes, now and then anything."""

from __future__ import annotations

from hypothesis import strategies as st

from builder.storage.labels import DISK, KEEP, MARK, UNFINISHED, Label
from tests.lvm_model import Held, Model

GUESTS = ("web1", "db1")
VOLUMES = ("", "srv", "tmp")


def name_of(guest: str, volume: str) -> str:
    return f"{guest}-{volume or 'disk'}"


NAMES = (*(name_of(guest, volume) for guest in GUESTS for volume in VOLUMES), "root", "web1-old")
LABELS = tuple(Label(guest, volume) for guest in (*GUESTS, "mail1") for volume in VOLUMES)
ATTRS = ("-wi-a-----", "-wi-ao----", "-wi-------", "-wi-XX----", "-ri-a-----", "owi-aos---", "rwi-a-r---", "-wi-s-----")
THIN_ATTRS = ("Vwi-a-tz--", "Vwi-aotz--", "Vwi---tz-k", "Vwi-a-tzF-")


def own_tags(name: str) -> frozenset[str]:
    """The tags that the volume of this name would have, if a guest had it."""
    guest, _, volume = name.partition("-")
    return frozenset(Label(guest, "" if volume == "disk" else volume).tags)


SOUND = ("-wi-a-----", "-wi-a-----", "-wi-ao----", "-wi-------", "Vwi-a-tz--")
ROLES = ("public", "public", "public", "public,origin,thinorigin", "public,snapshot,thinsnapshot")
LAYOUTS = ("linear", "linear", "linear", "striped", "raid,raid1")
TAGS: tuple[frozenset[str], ...] = (
    frozenset(),
    frozenset({"backup"}),
    *(frozenset(label.tags) for label in LABELS),
    frozenset({MARK}),
    frozenset({MARK, DISK, "domu.guest=web1", "domu.x"}),
    frozenset({MARK, DISK, "domu.guest=web1", "domu.volume=srv"}),
    frozenset({MARK, DISK, "domu.guest=web1", "domu.guest=db1"}),
    frozenset({"domu.guest=web1", UNFINISHED}),
)
MORE: tuple[frozenset[str], ...] = tuple(map(frozenset, ((), (), (), {KEEP}, {UNFINISHED}, {KEEP, UNFINISHED}, {"x"})))


@st.composite
def held(draw: st.DrawFn, name: str) -> Held:
    """Mostly sound and the guest's own, now and then anything."""
    extents, more = draw(st.integers(1, 12)), draw(st.sampled_from(MORE))
    if draw(st.integers(0, 5)):
        attr = draw(st.sampled_from(SOUND))
        return Held(name, extents, own_tags(name) | more, attr, layout="thin,sparse" if attr[0] == "V" else "linear")
    attr = draw(st.sampled_from((*ATTRS, *THIN_ATTRS)))
    layout = "thin,sparse" if attr[0] == "V" else draw(st.sampled_from(LAYOUTS))
    tags = draw(st.sampled_from((own_tags(name), *TAGS)))
    return Held(name, extents, tags | more, attr, draw(st.sampled_from(ROLES)), layout, mapped=extents)


@st.composite
def models(draw: st.DrawFn) -> Model:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    model = Model({name: draw(held(name)) for name in names}, total=0)
    model.total = -model.free + draw(st.integers(0, 300))
    model.least_free = model.free
    return model


def label(one: Held) -> Label | None:
    try:
        return Label.read(one.tags)
    except ValueError:
        return None
