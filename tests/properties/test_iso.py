"""Damaged images end in a result or an error of ours. `python -m tests.iso_mutations` takes 100,000 of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.iso_mutations import guarded, judge, mutant, subjects

# found by longer runs
KEPT = (298, 316, 3368, 4420, 9837, 20_942, 29_549, 117_962)


@pytest.mark.parametrize("seed", [*range(150), *KEPT])
def test_a_damaged_image_is_no_surprise(seed: int, tmp_path: Path) -> None:
    data, _ = mutant(subjects()[seed % len(subjects())], seed)
    with guarded():
        assert judge(data, tmp_path).keys() >= {"read", "repack", "verify"}


def test_the_subjects_themselves_are_sound(tmp_path: Path) -> None:
    for number, subject in enumerate(subjects()):
        (tmp_path / str(number)).mkdir()
        outcome = judge(subject.data, tmp_path / str(number))
        assert outcome["repack"] in {"copied", "cloned"}
        assert outcome["verify"] == "sound"
        assert outcome["untouched files"] == "the same"
