"""What the figures show of the training set: a few test tiles in full, and all footprints."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wildlens.evaluate.samples import (
    REFERENCES,
    build_sample,
    open_attributions,
    read_attribution,
)
from wildlens.evaluate.scores import generate, score_images
from wildlens.figures.examples import Example, choose
from wildlens.figures.overlays import Overlaid, choose_by_fit, rank_tiles
from wildlens.files.reflectance import SCALE
from wildlens.legend import CORINE
from wildlens.registry.methods import names
from wildlens.tiles.store import open_tiles


def read_examples(
    tiles: Path, classifier: Path, generators: Path, attributions: Sequence[Path], device: str
) -> tuple[list[Example], list[str]]:
    """A few test tiles of the attributions with all that is shown of them, and the bands' names."""
    stores = open_attributions(attributions)
    sample = build_sample("test", tiles, stores)
    scores = score_images(tiles, sample.names, classifier, generators, device).scores
    chosen = choose(scores)
    names = sample.names[list(chosen)]
    batches = list(generate(tiles, names, classifier, generators, device))
    images = np.concatenate([batch.images for batch in batches])
    valid = np.concatenate([batch.valid for batch in batches])
    maps = {method: read_attribution(stores[method], names) for method in pictured(stores)}
    known = [r for r in REFERENCES if r in sample.references and sample.known(r).any()]
    examples = [
        Example(
            name=str(names[i]),
            reason=chosen[position],
            images=images[i],
            scores=scores[position],
            valid=valid[i],
            references={r: sample.references[r][position] for r in known},
            attributions={method: values[i] for method, values in maps.items()},
        )
        for i, position in enumerate(chosen)
    ]
    return examples, open_tiles(tiles)["band"].values.tolist()


def read_overlays(
    tiles: Path, attributions: Sequence[Path], targets: Sequence[int]
) -> tuple[list[Overlaid], int, str, list[str], str]:
    """Best, median and worst test tile of the first method: the paper's, where it was used.

    Returns:
        The tiles, of how many they were chosen, by which method, the bands' names, and the
        reference that they were ranked by: exact land cover where it is known, else CORINE.
    """
    stores = open_attributions(attributions)
    sample = build_sample("test", tiles, stores)
    method = next(iter(stores))
    reference = next(
        r for r in ("truth", "corine") if r in sample.references and sample.known(r).any()
    )
    target = np.isin(sample.references[reference], CORINE.indices_of(targets))
    fits = rank_tiles(
        read_attribution(stores[method], sample.names), target, sample.known(reference)
    )
    chosen = choose_by_fit(fits)
    names = sample.names[list(chosen)]
    maps = {name: read_attribution(stores[name], names) for name in pictured(stores)}
    store = open_tiles(tiles)
    rows = {name: row for row, name in enumerate(store["name"].values.tolist())}
    stored = store["reflectance"].isel(tile=[rows[name] for name in names.tolist()]).values
    overlaid = [
        Overlaid(
            name=str(names[i]),
            reason=reason,
            image=(stored[i] / np.float32(SCALE)).astype(np.float32),
            valid=(stored[i] > 0).all(axis=0),
            target=target[position],
            attributions={method: values[i] for method, values in maps.items()},
        )
        for i, (position, reason) in enumerate(chosen.items())
    ]
    ranked = int(np.isfinite(fits).sum())
    return overlaid, ranked, method, store["band"].values.tolist(), reference


def pictured(methods: Iterable[str]) -> list[str]:
    """The methods that are shown as pictures: without controls, whose figures stand in the tables.

    Where there are only controls, these.
    """
    found = list(methods)
    controls = names("control")
    return [method for method in found if method not in controls] or found


def read_footprints(tiles: Path) -> tuple[pd.DataFrame, int]:
    """Scene, row, col, label and split of every tile, and the side of the tiles in pixels."""
    store = open_tiles(tiles)
    columns = ("scene", "row", "col", "label", "split")
    return pd.DataFrame({name: store[name].values for name in columns}), store.sizes["y"]
