"""The GeoPackage of tiles: outline, label, split and reason of every candidate tile."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import geopandas
import numpy as np
import pandas

from wildlens.files import vector
from wildlens.files.atomic import atomic
from wildlens.files.geopackage import write_layer
from wildlens.settings import SHARES
from wildlens.tiles.labels import UNLABELLED


def write_footprints(
    path: Path,
    tiles: geopandas.GeoDataFrame,
    classes: Sequence[str],
    provenance: Mapping[str, str],
) -> None:
    """Write all candidate tiles as layer `tiles` of a GeoPackage.

    Args:
        tiles: as returned by `labels.label_tiles`, with `split`, `block` and `repeated_in`.
        classes: names of the labels 0, 1, ...
        provenance: metadata of the layer.
    """
    shares = share_columns(tiles)
    columns = ["name", "scene", "label", "split", "why", "reason", *shares, "block", "repeated_in",
               "geometry"]  # fmt: skip
    names = {UNLABELLED: "unlabelled", **dict(enumerate(classes))}
    table = tiles.assign(label=tiles["label"].map(names), why=_why(tiles))[columns]
    with atomic(path) as temporary:
        write_layer(temporary, table, "tiles", layer_metadata=dict(provenance))
        _check_index(temporary, len(table))
        vector.remove_pending(path)


def _check_index(path: Path, count: int) -> None:
    """Raise OSError unless the spatial index contains all tiles.

    GDAL writes it when it closes the file, and does not report if that fails.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            (indexed,) = database.execute("select count(*) from rtree_tiles_geom").fetchone()
        except sqlite3.Error as error:
            raise OSError(f"it has no spatial index ({error}): is the disk full?") from None
    if indexed != count:
        raise OSError("its spatial index is incomplete: is the disk full?")


def _why(tiles: pandas.DataFrame) -> list[str]:
    """Reason and shares of each tile as text: 'mixed: protected 40.0 %, ...'."""
    columns = share_columns(tiles)
    words = [share.removesuffix("_share") for share in columns]
    texts = []
    for reason, *shares in tiles[["reason", *columns]].itertuples(index=False):
        known = [
            f"{word} {100 * share:.1f} %"
            for word, share in zip(words, shares, strict=True)
            if not np.isnan(share)
        ]
        texts.append(": ".join(filter(None, [reason, ", ".join(known)])))
    return texts


def share_columns(tiles: pandas.DataFrame) -> list[str]:
    """Names of the columns of shares, those of `tiles.other_classes` last."""
    return [*SHARES, *(c for c in tiles if c.endswith("_share") and c not in SHARES)]
