"""From a rendered line back to its template."""

from __future__ import annotations

import pytest

from builder.preseed.render import Template
from builder.preseed.traced import rows_of, trace

TEXT = """\
# Answers
{% for answer in guest.debconf %}
{{ answer.owner }} {{ answer.question }} {{ answer.type }} {{ answer.value|debconf }}
{% endfor %}
d-i mirror/country string manual
d-i netcfg/get_hostname string {{ guest.name|debconf }}
d-i mirror/{{ mirror.protocol }}/hostname string {{ mirror.hostname|debconf }}
  twice
{# nothing #}
"""
ROWS = rows_of([Template("a.j2", TEXT, "preseeds/a.j2"), Template("b.j2", "# B\n  twice\n", "preseeds/b.j2")])


@pytest.mark.parametrize(
    ("line", "place"),
    [
        pytest.param("d-i mirror/country string manual", "preseeds/a.j2:5", id="as it stands"),
        pytest.param("d-i netcfg/get_hostname string web1", "preseeds/a.j2:6", id="with a value"),
        pytest.param("d-i mirror/http/hostname string a.example.org", "preseeds/a.j2:7", id="with two"),
        pytest.param("d-i partman/confirm boolean true", "preseeds/a.j2:3", id="from values alone"),
        pytest.param("# B", "preseeds/b.j2:1", id="another template"),
        pytest.param("  twice", None, id="in two places"),
        pytest.param("nowhere", None, id="nowhere"),
        pytest.param("", None, id="an empty line"),
    ],
)
def test_places(line: str, place: str | None) -> None:
    found = trace(line, ROWS)
    assert (str(found) if found else None) == place


def test_long_lines_take_no_time() -> None:
    assert trace("d-i " * 100_000, ROWS)
