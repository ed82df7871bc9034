"""How well maps of whole scenes find the target group: scenes.csv.

Scenes have reference land cover if they are simulated; no network was trained on them. The
thresholds are those chosen on validation tiles.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wildlens.errors import WildLensError
from wildlens.evaluate.comparison import Comparison
from wildlens.evaluate.metrics import compare, target_thresholds
from wildlens.evaluate.samples import Sample
from wildlens.evaluate.target_groups import TARGETS, TargetGroup
from wildlens.files.raster import grid_of, open_raster, read
from wildlens.legend import CORINE
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)

TILE = 128  # px, side of the tiles that a scene is cut into
BLOCK = 4  # tiles along a side of a block of the intervals
COLUMNS = [
    "scene", "reference", "method", "tiles", "blocks", "pixels", "target_share", "auroc",
    "average_precision", "threshold", "iou", "iou_low", "iou_high", "iou_tiles", "share_inside",
    "share_high", "note",
]  # fmt: skip


def scenes_table(
    maps: Mapping[str, Mapping[str, Path]],
    truths: Mapping[str, Path],
    comparisons: Sequence[Comparison],
    settings: Evaluation,
) -> pd.DataFrame:
    """scenes.csv: one row per scene with reference land cover and method.

    Args:
        maps: scene -> method -> attribution map; truths: scene -> uint8 CORINE index on its grid.
        comparisons: of the test tiles, for the thresholds.

    Raises:
        WildLensError: the grids differ, or land cover holds a value that is no CORINE index.
    """
    thresholds = target_thresholds(comparisons)
    rows = []
    for scene, truth in truths.items():
        compared = {m: p for m, p in maps.get(scene, {}).items() if ("truth", m) in thresholds}
        if compared:
            rows += _rows(scene, compared, truth, thresholds, settings)
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(
    scene: str,
    maps: Mapping[str, Path],
    truth: Path,
    thresholds: Mapping[tuple[str, str], float],
    settings: Evaluation,
) -> list[dict]:
    """Rows of one scene; only one method's values are in memory."""
    classes, valid = _read_classes(truth, next(iter(maps.values()))), None
    for path in maps.values():
        finite = np.isfinite(_read_map(path))
        valid = finite if valid is None else valid & finite
    sample = _cut(classes, valid)
    group = TargetGroup("truth", TARGETS, settings.targets, float("nan"))
    known, target = group.pixels(sample)
    if target in (0, known):
        log.info("evaluate: scene %s: the target group fills none or all of it, left out", scene)
        return []
    rows = []
    for method, path in maps.items():
        values = np.where(sample.valid, _tiles(_read_map(path), np.nan), np.float32(np.nan))
        threshold = thresholds["truth", method]
        (found,) = compare(method, [group], [threshold], values.__getitem__, sample, {})
        head = {"scene": scene, "reference": "truth", "method": method}
        rows.append(head | {name: found.metrics[name] for name in COLUMNS[3:]})
    return rows


def _read_map(path: Path) -> np.ndarray:
    with open_raster(path) as dataset:
        return read(dataset, 1)


def _read_classes(path: Path, of_map: Path) -> np.ndarray:
    with open_raster(path) as dataset, open_raster(of_map) as attribution:
        if grid_of(dataset) != grid_of(attribution):
            raise WildLensError(
                f"{path}: has another grid than {of_map}; reference land cover must lie on the grid"
                " of its scene"
            )
        classes = read(dataset, 1)
    CORINE.check(classes, path)
    return classes


def _cut(classes: np.ndarray, valid: np.ndarray) -> Sample:
    """A scene as a sample of tiles, numbered by the block that they lie in."""
    rows, columns = (-(-length // TILE) for length in classes.shape)
    block = np.arange(rows)[:, None] // BLOCK * -(-columns // BLOCK) + np.arange(columns) // BLOCK
    return Sample(
        np.arange(rows * columns),
        block.reshape(-1),
        {"truth": _tiles(classes, 0)},
        _tiles(valid, False),
    )


def _tiles(raster: np.ndarray, beyond: float) -> np.ndarray:
    """(height, width) -> (tile, TILE, TILE), row by row; `beyond` fills tiles past the border."""
    margin = [(0, -length % TILE) for length in raster.shape]
    padded = np.pad(raster, margin, constant_values=beyond)
    rows, columns = (length // TILE for length in padded.shape)
    cut = padded.reshape(rows, TILE, columns, TILE).swapaxes(1, 2)
    return cut.reshape(-1, TILE, TILE)
