"""Tests of windows, tile starts and weights against hand-computed values."""

import numpy as np
import pytest

from wildlens.map.windows import halo_pieces, tile_starts, tile_weight


def spans(window) -> tuple[int, int, int, int]:
    """First and last row, first and last column of a window; ends are exclusive."""
    rows, columns = window.toslices()
    return rows.start, rows.stop, columns.start, columns.stop


def test_halo_pieces_with_ground_offset_equal_hand_computed_values():
    pieces = list(halo_pieces(20, 13, core=5, halo=4, multiple=4, ground=(1003, 6)))
    assert [spans(piece.core) for piece in pieces] == [
        (0, 5, 0, 6), (0, 5, 6, 13), (5, 13, 0, 6), (5, 13, 6, 13), (13, 20, 0, 6), (13, 20, 6, 13),
    ]  # fmt: skip
    assert [spans(piece.read) for piece in pieces] == [
        (0, 9, 0, 10), (0, 9, 2, 13), (1, 17, 0, 10), (1, 17, 2, 13), (9, 20, 0, 10),
        (9, 20, 2, 13),
    ]  # fmt: skip
    inner = [tuple((s.start, s.stop) for s in piece.inner) for piece in pieces]
    assert inner == [
        ((0, 5), (0, 6)), ((0, 5), (4, 11)), ((4, 12), (0, 6)), ((4, 12), (4, 11)),
        ((4, 11), (0, 6)), ((4, 11), (4, 11)),
    ]  # fmt: skip


def test_halo_pieces_start_at_corner_by_default():
    pieces = list(halo_pieces(5, 9, core=4, halo=3))
    assert [spans(piece.core) for piece in pieces] == [
        (0, 4, 0, 4), (0, 4, 4, 8), (0, 4, 8, 9), (4, 5, 0, 4), (4, 5, 4, 8), (4, 5, 8, 9),
    ]  # fmt: skip
    assert spans(pieces[-1].read) == (1, 5, 5, 9)


@pytest.mark.parametrize(
    ("length", "size", "overlap", "ground", "expected"),
    [
        (100, 32, 8, 0, [0, 24, 48, 68]),
        (100, 32, 8, 24, [0, 24, 48, 68]),
        (100, 32, 8, 10, [0, 14, 38, 62, 68]),
        (80, 32, 8, 0, [0, 24, 48]),
        (32, 32, 8, 5, [0]),
        (20, 32, 8, 5, [0]),
        (40, 8, 7, 0, list(range(33))),
    ],
)
def test_tile_starts_equal_hand_computed_values(length, size, overlap, ground, expected):
    assert tile_starts(length, size, overlap, ground) == expected
    if ground == 0:
        assert tile_starts(length, size, overlap) == expected


def test_overlap_above_tile_size_is_refused():
    with pytest.raises(ValueError, match="no step"):
        tile_starts(40, 8, 9)


@pytest.mark.parametrize(
    ("size", "overlap", "side"),
    [
        (3, 0, [1, 1, 1]),
        (4, 1, [0.5, 1, 1, 0.5]),
        (4, 2, [0.15625, 0.84375, 0.84375, 0.15625]),
        (5, 2, [0.15625, 0.84375, 1, 0.84375, 0.15625]),
    ],
)
def test_tile_weight_equals_hand_computed_smoothstep(size, overlap, side):
    weight = tile_weight(size, overlap)
    assert weight.dtype == np.float32
    np.testing.assert_allclose(weight, np.outer(side, side), rtol=1e-6)
