"""A tier file that changes while we run: looked at once a second, and never half believed."""

import json

import pytest

from hoist.adapters.tier_file import TierFile
from tests.doubles import Clock
from tests.unit.world import TIERS


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiers.json"
    path.write_text(json.dumps(TIERS))
    return path


def change(path, **basic):
    path.write_text(json.dumps({**TIERS, "basic": {**TIERS["basic"], **basic}}))


def test_a_change_takes_effect_within_a_second(path, clock):
    policy = TierFile(path, clock)
    change(path, fileSizeMax=7)
    assert policy().tier("basic").file_size_max != 7
    clock.advance(seconds=1)
    assert policy().tier("basic").file_size_max == 7


@pytest.mark.parametrize("text", ["", "{", "{}", '{"basic": {}, "premium": {}}'])
def test_a_file_that_makes_no_sense_leaves_the_tiers_as_they_were(path, clock, text):
    policy = TierFile(path, clock)
    before = policy()
    path.write_text(text)
    clock.advance(seconds=1)
    assert policy() is before
    change(path, fileSizeMax=7)
    clock.advance(seconds=1)
    assert policy().tier("basic").file_size_max == 7


def test_a_file_that_is_gone_leaves_the_tiers_as_they_were(path, clock):
    policy = TierFile(path, clock)
    before = policy()
    path.unlink()
    clock.advance(seconds=1)
    assert policy() is before


def test_at_the_start_a_wrong_file_is_refused(path, clock):
    path.write_text("{}")
    with pytest.raises(ValueError, match="lacks"):
        TierFile(path, clock)
