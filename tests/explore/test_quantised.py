"""8-bit codes: error, missing values, what lies beyond the codes."""

import base64
import zlib

import numpy as np
import pytest

from wildlens.explore.quantised import LAST, packed, quantise


@pytest.mark.parametrize("seed", range(4))
def test_error_is_at_most_half_a_step_between_the_tails(seed):
    rng = np.random.default_rng(seed)
    values = (rng.normal(0, 1, (50, 60)) * 10.0 ** rng.integers(-8, 4)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    found = quantise(values)
    low, high = np.nanpercentile(values.astype(np.float64), [0.1, 99.9])
    inside = (values >= low) & (values <= high)
    assert inside.sum() > 0.99 * np.isfinite(values).sum() - 3
    error = np.abs(found.values() - values)[inside]
    assert error.max() <= found.scale / 2 * 1.0001
    assert np.array_equal(found.codes == 0, np.isnan(values)), "missing stays missing, others not"
    assert found.below and found.above
    assert (found.codes[values > high] == LAST).all() and (found.codes[values < low] == 1).all()


def test_few_values_have_no_tails():
    found = quantise(np.array([0.0, 1.0], np.float32))
    assert np.allclose(found.values(), [0, 1], atol=found.scale / 2)


@pytest.mark.parametrize(
    "values", [np.full((2, 2), 0.3), np.full((2, 2), np.nan), np.full((0, 2), 0.0), np.zeros(3)]
)
def test_one_value_or_none(values):
    found = quantise(values)
    assert np.allclose(found.values(), values, equal_nan=True) and found.scale > 0
    assert not found.below and not found.above


def test_infinite_values_are_missing():
    assert quantise(np.array([np.inf, 1, 2, -np.inf])).codes[[0, 3]].tolist() == [0, 0]


def test_packed_codes_can_be_read_back():
    codes = np.arange(12, dtype=np.uint8).reshape(3, 4).T
    assert zlib.decompress(base64.b64decode(packed(codes))) == codes.tobytes()
