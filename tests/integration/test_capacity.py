"""The figures that docs/capacity.md is computed from are what our code really asks for."""

import boto3
import pytest

from bench import costs as measured
from bench.capacity import costs
from bench.capacity.measure import Measure

# Ids, host names and versions of Redis make some bytes more or less.
TOLERANCES = {"BYTES": 0.2, "OPS": 0.05}


@pytest.fixture
def environment(stack):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.settings.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        boto3.setup_default_session()
        yield stack.settings
    boto3.setup_default_session()


def test_every_counted_figure_is_still_true(environment):
    found = measured.counted(environment)
    kept = {name: getattr(costs, name) for name in found}
    for name, value in found.items():
        tolerance = next((of for part, of in TOLERANCES.items() if part in name), 0.001)
        assert value == pytest.approx(kept[name], rel=tolerance), name
    counted = {n for n, v in vars(costs).items() if "counted" in getattr(v, "source", "")}
    assert counted - found.keys() == {"FRAMES_PER_UPLOAD"} & counted


def test_dynamodb_itself_reckons_single_writes_as_we_do(environment):
    measure = Measure(environment)
    try:
        measure.cost(1)
        assert len(measure.bill.told) >= 4
        for ours, engines in measure.bill.told:
            assert ours == engines
    finally:
        measure.close()
