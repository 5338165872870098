"""Fixtures that more than one test file uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.archive import Keys, made_keys
from tests.stage.domu import Zygote

# The same examples in every run, so that what fails, fails again; --hypothesis-profile=default looks for new ones.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def keys() -> Iterator[Keys]:
    """Real OpenPGP keys, made once per run."""
    with made_keys() as keys:
        yield keys


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """What starts domu as a process of its own, quickly, on a stage."""
    with Zygote() as found:
        yield found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="rewrite tests/golden/cases; then read the diff")
