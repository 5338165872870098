"""The lab as pytest fixtures: one that is up is used and left alone, otherwise one is brought up and ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.bench import Bench
from tests.lab.dom0 import Lab
from tests.lab.install import install_domu
from tests.lab.keeper import Standing, brought_up, found_up


@pytest.fixture(scope="session")
def standing() -> Iterator[Standing]:
    """A lab with a dom0 of bookworm, or whatever is up."""
    if there := found_up():
        yield there
        return
    with brought_up("bookworm") as made:
        yield made


@pytest.fixture(scope="session")
def lab(standing: Standing) -> Lab:
    """Its dom0."""
    return standing.lab


@pytest.fixture(scope="session")
def domu(standing: Standing) -> str:
    """domu of this tree, installed in dom0; its version."""
    return install_domu(standing.lab, standing.folder)


@pytest.fixture(scope="session")
def bench(standing: Standing) -> Bench:
    """The guests' volumes; consoles are kept in the lab's folder."""
    folder = standing.folder / "boots"
    folder.mkdir(exist_ok=True)
    return Bench(standing, folder)
