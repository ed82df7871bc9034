"""Tests of windows: cores cover a scene once, halos are complete, weights sum to one."""

import numpy as np
import pytest

from wildlens.map.windows import halo_pieces, tile_starts, tile_weight


@pytest.mark.parametrize("seed", range(20))
def test_halo_pieces_cover_scene_once_and_include_halo(seed):
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 300, 2)
    multiple = int(2 ** random.integers(0, 4))
    halo, core = multiple * int(random.integers(0, 12)), int(random.integers(1, 150))
    covered = np.zeros((height, width), int)
    scene = random.random((height, width))
    for piece in halo_pieces(height, width, core=core, halo=halo, multiple=multiple):
        rows, columns = piece.core.toslices()
        covered[rows, columns] += 1
        read_rows, read_columns = piece.read.toslices()
        assert read_rows.start % multiple == read_columns.start % multiple == 0
        assert read_rows.start == max(0, rows.start - halo)
        assert read_columns.stop == min(width, columns.stop + halo)
        assert np.array_equal(scene[read_rows, read_columns][piece.inner], scene[rows, columns])
    assert (covered == 1).all()


def test_halo_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match="multiple"):
        list(halo_pieces(10, 10, core=4, halo=3, multiple=2))


@pytest.mark.parametrize("seed", range(20))
def test_tile_starts_cover_length_with_minimum_overlap(seed):
    random = np.random.default_rng(seed)
    size = int(random.integers(2, 64))
    length, overlap = int(random.integers(1, 400)), int(random.integers(0, size))
    starts = tile_starts(length, size, overlap)
    assert starts[0] == 0 and starts[-1] == max(0, length - size)
    steps = np.diff(starts)
    assert (steps > 0).all() and (steps <= size - overlap).all()


@pytest.mark.parametrize("size, overlap", [(8, 0), (8, 3), (128, 32), (9, 4)])
def test_weights_of_neighbouring_tiles_sum_to_one(size, overlap):
    weight = tile_weight(size, overlap)
    assert (weight > 0).all() and weight.max() == 1
    if overlap:
        middle = weight[size // 2]
        assert np.allclose(middle[size - overlap :] + middle[:overlap], 1)


def test_tile_weight_rises_smoothly_from_zero():
    side = tile_weight(128, 32)[64]
    assert side[0] < 0.001
    assert np.abs(np.diff(side)).max() < 0.05  # over 32 px, 1.5 times an even slope


def test_overlap_without_step_is_refused():
    with pytest.raises(ValueError, match="no step"):
        tile_starts(100, 32, 32)
