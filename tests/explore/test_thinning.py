"""Thinned rasters against a loop over their squares, and the limit of the page's size."""

import numpy as np
import pytest
import rasterio
from attributed import grid_at
from rasterio.enums import Resampling

from wildlens.explore.thinning import read_thinned, side_limit, step_for, thinned_shape
from wildlens.files.cog import writing_cog
from wildlens.files.raster import writing_geotiff

SHAPE = (47, 60)


def squares(values, step):
    """(row, column, pixels) of every square, the cut ones at the border included."""
    for row in range(-(-values.shape[0] // step)):
        for column in range(-(-values.shape[1] // step)):
            rows, columns = (slice(i * step, (i + 1) * step) for i in (row, column))
            yield row, column, values[rows, columns].ravel()


def written(path, values, nodata):
    form = {"count": 1, "dtype": str(values.dtype), "nodata": nodata}
    with writing_geotiff(path, grid_at(500_000, values), tags={}, **form) as dataset:
        dataset.write(values, 1)
    return path


def thinned(path, step, resampling):
    with rasterio.open(path) as dataset:
        return read_thinned(dataset, [1], step, resampling)[0]


@pytest.mark.parametrize("step", [1, 2, 5, 7, 60])
def test_mean_of_valid_pixels_and_missing_where_none_is(tmp_path, step):
    rng = np.random.default_rng(step)
    values = rng.normal(0, 1, SHAPE).astype(np.float32)
    values[rng.random(SHAPE) < 0.3] = np.nan
    values[10:30, 20:40] = np.nan
    found = thinned(written(tmp_path / "a.tif", values, np.nan), step, Resampling.average)
    assert found.shape == thinned_shape(SHAPE, step)
    for row, column, pixels in squares(values, step):
        valid = pixels[np.isfinite(pixels)]
        if valid.size:
            assert found[row, column] == pytest.approx(valid.mean(dtype=np.float64), abs=1e-5)
        else:
            assert np.isnan(found[row, column])


@pytest.mark.parametrize("step", [1, 2, 5, 7])
def test_the_most_frequent_known_class(tmp_path, step):
    rng = np.random.default_rng(step)
    classes = rng.choice([0, 0, 12, 36, 44], SHAPE).astype(np.uint8)
    classes[:16, :16] = 0
    found = thinned(written(tmp_path / "a.tif", classes, 0), step, Resampling.mode)
    for row, column, pixels in squares(classes, step):
        counts = np.bincount(pixels, minlength=45)
        counts[0] = 0
        chosen = found[row, column]
        assert counts[chosen] == counts.max() and (chosen > 0) == bool(counts.max())


def test_overviews_give_nearly_the_mean(tmp_path):
    shape = (1100, 1300)
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    values += np.linspace(0, 5, shape[1], dtype=np.float32)
    values[:500, :500] = np.nan
    path = tmp_path / "a.tif"
    with writing_cog(
        path, grid_at(500_000, values), tags={}, descriptions=("a",)
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    found = thinned(path, 11, Resampling.average)
    for row, column, pixels in squares(values, 11):
        if row == 99 or column == 118:  # squares that are cut
            continue
        whole = np.isfinite(pixels).mean()
        if whole in (0, 1):
            assert np.isnan(found[row, column]) == (whole == 0), (row, column)
            if whole:
                assert abs(found[row, column] - pixels.mean()) < 0.15


def test_step_keeps_every_side_within_the_limit():
    assert [step_for(shape, 1000) for shape in [(1000, 3), (1001, 3), (10980, 10980)]] == [1, 2, 11]


def test_many_scenes_are_thinned_more_and_one_is_not():
    scene = (10980, 10980)
    assert side_limit([scene], [20], 1000, 40_000_000) == 1000
    limit = side_limit([scene] * 10, [20] * 10, 1000, 40_000_000)
    height, width = thinned_shape(scene, step_for(scene, limit))
    assert 20_000_000 < 200 * height * width <= 40_000_000
    assert side_limit([], [], 1000, 1) == 1000 and side_limit([scene] * 9, [20] * 9, 1000, 1) == 1
