"""From the files of a run to what the figures take: arrays and tables, in memory and thinned."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from rasterio.enums import Resampling

from wildlens.errors import WildLensError
from wildlens.evaluation.samples import (
    REFERENCES,
    build_sample,
    open_attributions,
    read_attribution,
)
from wildlens.evaluation.scores import generate, score_images
from wildlens.presentation.examples import Example, choose
from wildlens.presentation.footprints import Picture
from wildlens.presentation.imagery import stretch_for
from wildlens.presentation.maps import SceneView
from wildlens.raster import grid_of, open_raster, read, read_grid
from wildlens.reflectance import SCALE
from wildlens.settings import METHODS, Evaluation, validate
from wildlens.tileset import open_tiles

MOST_PIXELS = 800  # of a displayed scene's longer side


# the tables that are drawn, and the columns that are drawn of them: of text, of numbers
METHODS_TABLE = ("methods.csv", "method reference", "tiles blocks auroc average_precision iou"
                 " iou_low iou_high iou_otsu target_share iou_minus_gan iou_minus_gan_low"
                 " iou_minus_gan_high")  # fmt: skip
CLASSES_TABLE = ("classes.csv", "method reference scene class_code class_name",
                 "pixels relative_attribution")  # fmt: skip
CLASSIFIER_TABLE = ("classifier/training.csv", "", "epoch train_loss val_loss val_accuracy")
ACCURACY_TABLE = ("classifier/accuracy.csv", "split", "tiles accuracy auroc fgsm_accuracy")
GAN_TABLE = ("gan/training.csv", "", "step similarity_max similarity_min cycle adversarial"
             " discriminator score_max score_min")  # fmt: skip


def read_table(folder: Path, description: tuple[str, str, str]) -> pd.DataFrame:
    """One of the tables above, in which every column that is drawn has the type it should have."""
    name, texts, numbers = description
    path = folder / name
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(texts.split(), str))
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise WildLensError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    lacking = [column for column in f"{texts} {numbers}".split() if column not in table]
    wrong = [c for c in numbers.split() if c in table and table[c].dtype.kind not in "if"]
    if lacking or wrong or table.empty:
        problem = f"lacks {', '.join(lacking)}" if lacking else "has no rows"
        if wrong and not lacking:
            problem = f"has no numbers in {', '.join(wrong)}"
        raise WildLensError(f"{path}: {problem}; make it again with wildlens")
    return table


def read_targets(evaluation: Path) -> list[int]:
    """CORINE codes of the target group that an evaluation was made with."""
    path = evaluation / "provenance.json"
    try:
        text = json.loads(path.read_text(encoding="utf-8"))["wildlens_settings"]
        data = yaml.safe_load(text)
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise WildLensError(
            f"{path}: does not say the evaluation's settings ({reason}); run wildlens evaluate"
        ) from None
    return validate(data, Evaluation, str(path)).targets


def read_examples(
    tiles: Path, classifier: Path, generators: Path, attributions: Sequence[Path], device: str
) -> tuple[list[Example], list[str]]:
    """A few test tiles of the attributions with all that is shown of them, and the bands' names."""
    stores = open_attributions(attributions)
    sample = build_sample("test", tiles, stores)
    scores, _ = score_images(tiles, sample.names, classifier, generators, device)
    chosen = choose(scores)
    names = sample.names[list(chosen)]
    batches = list(generate(tiles, names, classifier, generators, device))
    images = np.concatenate([batch.images for batch in batches])
    valid = np.concatenate([batch.valid for batch in batches])
    maps = {method: read_attribution(store, names) for method, store in stores.items()}
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


def read_footprints(tiles: Path) -> tuple[pd.DataFrame, int]:
    """Scene, row, col, label and split of every tile, and the side of the tiles in pixels."""
    store = open_tiles(tiles)
    columns = ("scene", "row", "col", "label", "split")
    return pd.DataFrame({name: store[name].values for name in columns}), store.sizes["y"]


def read_scene(path: Path, maps: dict[str, Path], landcover: Path | None) -> SceneView:
    """A scene with its maps and land cover, thinned to at most `MOST_PIXELS` a side.

    Raises:
        WildLensError: a file lies on another grid than the scene.
    """
    with open_raster(path) as scene:
        grid = grid_of(scene)
        shape = _display_shape(grid.shape)
        stored = read(scene, out_shape=(scene.count, *shape), resampling=Resampling.average)
        bands = [name or f"band {i}" for i, name in enumerate(scene.descriptions, start=1)]
    valid = (stored > 0).all(axis=0)
    ordered = sorted(maps, key=lambda m: METHODS.index(m) if m in METHODS else len(METHODS))
    return SceneView(
        name=path.stem,
        crs=f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else "own reference system",
        pixel_m=abs(grid.affine.a) * grid.shape[1] / shape[1],
        reflectance=np.where(valid, stored / np.float32(SCALE), 0).astype(np.float32),
        valid=valid,
        bands=bands,
        landcover=_read_thinned(landcover, path, grid, Resampling.nearest) if landcover else None,
        maps={m: _read_thinned(maps[m], path, grid, Resampling.average) for m in ordered},
    )


def read_picture(path: Path) -> Picture:
    """A scene as a thinned picture that lies behind its tiles."""
    view = read_scene(path, {}, None)
    stretch = stretch_for(view.bands, [view.reflectance[:, view.valid]])
    return Picture(stretch(view.reflectance, view.valid), tuple(read_grid(path).shape))


def _read_thinned(path: Path, scene: Path, grid, resampling: Resampling) -> np.ndarray:
    with open_raster(path) as dataset:
        if grid_of(dataset) != grid:
            raise WildLensError(f"{path}: lies on another grid than {scene}; make it again")
        return read(dataset, 1, out_shape=_display_shape(grid.shape), resampling=resampling)


def _display_shape(shape: tuple[int, int]) -> tuple[int, int]:
    factor = max(1, max(shape) / MOST_PIXELS)
    return max(1, round(shape[0] / factor)), max(1, round(shape[1] / factor))


def maps_by_scene(paths: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """Scene -> method -> map, from the tags of the maps."""
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        with open_raster(path) as dataset:
            tags = dataset.tags()
        if not {"wildlens_scene", "wildlens_method"} <= tags.keys():
            raise WildLensError(
                f"{path}: does not say its scene and method; is it no wildlens map?"
            )
        found.setdefault(tags["wildlens_scene"], {})[tags["wildlens_method"]] = path
    return found
