"""What the training set says of its tiles: split, label, spatial block, IUCN category."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from wildlens.confidence.calibration_tables import Labelled
from wildlens.confidence.categories import categories_of
from wildlens.errors import WildLensError
from wildlens.settings import Tiles
from wildlens.tiles.store import class_names, open_tiles, rows_of

SPLITS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Known:
    """What the training set says of its tiles.

    Attributes:
        table: one row per tile: name, split, block, label (name of the class), category.
        labels: (tile,) int, number of the class; natural: (tile,) bool, of the explained class.
    """

    table: pd.DataFrame
    labels: np.ndarray
    natural: np.ndarray

    def rows(self, split: str) -> np.ndarray:
        """(tile,) bool, tiles of a split."""
        return self.table["split"].to_numpy() == split

    def positions(self, names: np.ndarray) -> np.ndarray:
        """Position of each named tile, (n,) int."""
        return np.array(rows_of(self.table["name"].to_numpy(), names))


def read_known(path: Path, target: str, areas: Path | None, settings: Tiles) -> Known:
    """Labels, splits and categories of all tiles.

    Args:
        path: tiles.zarr; target: the class that the classifier explains.
        areas: protected areas, for their categories; settings: which of them count.

    Raises:
        WildLensError: the tiles have no such class, or labels without a class.
    """
    with open_tiles(path) as dataset:
        names = class_names(dataset)
        if target not in names:
            raise WildLensError(
                f"{path}: has no class '{target}', which the classifier explains; these are"
                f" {', '.join(names)}: use the tiles that it was trained on"
            )
        labels = dataset["label"].values.astype(int)
        if labels.min() < 0 or labels.max() >= len(names):
            raise WildLensError(
                f"{path}: has labels {labels.min()} to {labels.max()} for {len(names)} classes;"
                " make it again with wildlens tiles"
            )
        natural = labels == names.index(target)
        category = np.where(natural, categories_of(dataset, areas, settings), "")
        columns = {name: dataset[name].values for name in ("name", "split", "block")}
    columns |= {"label": np.array(names)[labels], "category": category}
    return Known(pd.DataFrame(columns), labels, natural)


def labelled(known: Known, logits: np.ndarray, split: str) -> Labelled:
    """The tiles of a split, with their logits of (tile,) float64."""
    rows = known.rows(split)
    if not rows.any():
        raise WildLensError(f"the training set holds no {SPLITS[split]} tile; make it again")
    blocks = np.unique(known.table["block"][rows], return_inverse=True)[1].reshape(-1)
    return Labelled(logits[rows], known.natural[rows], blocks)
