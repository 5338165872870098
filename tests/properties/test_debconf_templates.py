"""Whatever bytes come: templates and findings, never an exception; and what is written is what is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.preseed.templates import TYPES, Template, parse_templates, split_choices

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="\\,$"), min_size=1, max_size=9
)
PROSE = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,9}(/[a-z0-9_.-]{1,9}){1,3}", fullmatch=True)
CHOICE = (
    st.text(st.sampled_from("ab,\\ c"), min_size=1, max_size=6)
    .map(str.strip)
    .filter(lambda text: text != "" and not text.endswith("\\") and "\\ " not in text and "\\," not in text)
)
# Pieces that a file is made of, in the wrong order, cut and repeated.
PIECES = st.sampled_from(
    [b"Template: ", b"Type: ", b"select", b"\n", b"\n\n", b" ", b"\t", b" .\n", b"#", b"_", b"Choices-C: ", b"Choices:", b"a, b\\,",
     b"${X}", b"Description: ", b"Description-de.UTF-8: x", b"\x00", b"\xff", b":", b"a/b", b"Default:", b"\r\n", b"@X@", b"[ x]"]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=4), max_size=60).map(b"".join), st.booleans())
def test_nothing_stops_the_reading(data: bytes, source: bool) -> None:
    templates, findings = parse_templates(data, name="x", source=source)
    assert all(template.type in TYPES and template.name.isprintable() for template in templates)
    assert len({template.name for template in templates}) == len(templates)
    assert all(finding.code.startswith("C1") for finding in findings)


@given(
    st.lists(
        st.builds(
            Template,
            NAMES,
            st.sampled_from(["string", "boolean", "note", "text"]),
            PROSE,
            description=PROSE,
            extended=PROSE,
        ),
        max_size=6,
        unique_by=lambda template: template.name,
    )
)
def test_what_is_written_is_read(templates: list[Template]) -> None:
    text = "\n".join(
        f"Template: {one.name}\nType: {one.type}\nDefault: {one.default}\nDescription: {one.description}\n {one.extended}\n"
        for one in templates
    )
    # A word of prose that is a single dot would part paragraphs.
    if any(one.extended == "." for one in templates):
        return
    found, findings = parse_templates(text.encode(), name="x")
    assert list(found) == templates
    assert not list(findings)


@given(st.lists(CHOICE, max_size=6))
def test_escaped_choices_come_back(choices: list[str]) -> None:
    written = ", ".join(choice.replace(",", "\\,") for choice in choices)
    assert list(split_choices(written)) == choices
