"""Data of the figures of test tiles: examples, overlays and footprints, read from result files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wildlens.errors import WildLensError
from wildlens.evaluate import examples as saved
from wildlens.evaluate.samples import REFERENCES, open_attributions, read_attribution
from wildlens.evaluate.target_groups import in_group
from wildlens.figures.examples import Example
from wildlens.figures.overlays import Overlaid, choose_by_fit, fits_of
from wildlens.files.map_tags import tags_of
from wildlens.files.origin import TAG
from wildlens.files.reflectance import to_reflectance
from wildlens.registry import methods
from wildlens.tiles.store import open_tiles


def read_examples(
    examples: Path, tiles: Path, attributions: Sequence[Path], references: Sequence[str]
) -> tuple[list[Example], list[str]]:
    """The example tiles of an evaluation with their images and maps, and the bands' names.

    Args:
        examples: examples.npz; references: names of the land covers that were compared.
    """
    found = saved.read_examples(examples)
    stores = open_attributions(attributions)
    store = _named_tiles(tiles, found.names)
    maps, signed = _read_maps(stores, found.names), _signed(stores)
    classes = {r: store[REFERENCES[r]].values for r in references}
    shown = [
        Example(
            name=str(found.names[i]),
            reason=str(found.reasons[i]),
            images=found.images[i],
            scores=found.scores[i],
            valid=found.valid[i],
            references={r: values[i] for r, values in classes.items()},
            attributions={method: values[i] for method, values in maps.items()},
            signed=signed,
        )
        for i in range(len(found.names))
    ]
    return shown, found.bands.tolist()


def read_overlays(
    tiles: Path, attributions: Sequence[Path], metrics: pd.DataFrame, targets: Sequence[int]
) -> tuple[list[Overlaid], int, str, list[str], str]:
    """Best, median and worst test tile of the first method: the paper's, if it was used.

    Args:
        metrics: tiles.csv; targets: CORINE codes of the target group.

    Returns:
        The tiles, of how many they were chosen, by which method, the bands' names, and the
        reference that they were ranked by: that of the simulation if it is known, else CORINE.
    """
    stores = open_attributions(attributions)
    method = next(iter(stores))
    reference = next(r for r in ("truth", "corine") if (metrics["reference"] == r).any())
    rows = metrics[(metrics["method"] == method) & (metrics["reference"] == reference)]
    fits = fits_of(rows["average_precision"].to_numpy(float), rows["target_share"].to_numpy(float))
    chosen = choose_by_fit(fits)
    names = rows["tile"].to_numpy(str)[list(chosen)]
    store, maps = _named_tiles(tiles, names), _read_maps(stores, names)
    signed = _signed(stores)
    stored, classes = store["reflectance"].values, store[REFERENCES[reference]].values
    overlaid = [
        Overlaid(
            name=str(names[i]),
            reason=reason,
            image=to_reflectance(stored[i]),
            valid=(stored[i] > 0).all(axis=0),
            target=in_group(classes[i], targets),
            attributions={method: values[i] for method, values in maps.items()},
            signed=signed,
        )
        for i, reason in enumerate(chosen.values())
    ]
    ranked = int(np.isfinite(fits).sum())
    return overlaid, ranked, method, store["band"].values.tolist(), reference


def read_origins(attributions: Sequence[Path], maps: Sequence[Path]) -> str:
    """What the models of attributions and maps were trained on, in words; empty if not stated."""
    stated = [store.attrs.get(TAG) for store in open_attributions(attributions).values()]
    return "; ".join(filter(None, dict.fromkeys([*stated, *tags_of(maps, TAG)])))


def with_pictures(given: Iterable[str]) -> list[str]:
    """The methods whose maps are shown: without controls, which are in the tables.

    If there are only controls, these.
    """
    found = list(given)
    controls = methods.names("control")
    return [method for method in found if method not in controls] or found


def read_footprints(tiles: Path) -> tuple[pd.DataFrame, int]:
    """Scene, row, col, label and split of every tile, and the side of the tiles in pixels."""
    store = open_tiles(tiles)
    columns = ("scene", "row", "col", "label", "split")
    return pd.DataFrame({name: store[name].values for name in columns}), store.sizes["y"]


def _named_tiles(path: Path, names: np.ndarray) -> xr.Dataset:
    """The tiles of these names in their order, not read yet."""
    store = open_tiles(path)
    rows = {name: row for row, name in enumerate(store["name"].values.tolist())}
    if unknown := [name for name in names.tolist() if name not in rows]:
        raise WildLensError(
            f"{path}: has no tile '{unknown[0]}' of the evaluation; use the tiles it was made with"
        )
    return store.isel(tile=[rows[name] for name in names.tolist()])


def _signed(stores: dict[str, xr.Dataset]) -> frozenset[str]:
    """Methods whose values below zero have a meaning."""
    return frozenset(
        method for method, store in stores.items() if methods.is_signed(store.attrs, method)
    )


def _read_maps(stores: dict[str, xr.Dataset], names: np.ndarray) -> dict[str, np.ndarray]:
    """Method -> (tile, y, x) attributions of the named tiles, of methods that are shown."""
    for method, store in stores.items():
        if unknown := set(names.tolist()) - set(store["name"].values.tolist()):
            raise WildLensError(
                f"attribution '{method}' has no tile '{min(unknown)}' of the evaluation; "
                "use the attributions it was made with"
            )
    return {name: read_attribution(stores[name], names) for name in with_pictures(stores)}
