"""Evaluation of attributions against land cover, and of the generators: tables (CSV).

methods.csv       how well each method finds the target group (wetlands and bare land)
rules.csv         the same by other rules of what counts as high attribution
groups.csv        the same for other groups of classes
tiles.csv         per-tile metrics of each method
differences.csv   paired differences between all methods, with their intervals
classes.csv       mean attribution by land-cover class, on test tiles and on whole scenes
faithfulness.csv  deletion, insertion and randomisation; needs no land cover
scenes.csv        how well maps of whole scenes find the target group
completeness.csv  sum of contributions against difference of logits
scores.csv        effect of the generators on the classifier's score
texture.csv       tiles with a periodic texture, of images and maps
examples.npz      example tiles with their generated images, for the figures
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wildlens import provenance
from wildlens.evaluate.checks import warnings_of
from wildlens.evaluate.class_attribution import ClassTotals
from wildlens.evaluate.comparison import Comparison
from wildlens.evaluate.completeness import completeness_table
from wildlens.evaluate.differences import differences_table
from wildlens.evaluate.examples import choose_examples, gather, write_examples
from wildlens.evaluate.faithfulness import Faithfulness, choose_tiles
from wildlens.evaluate.metrics import choose_thresholds, compare
from wildlens.evaluate.perturbations import build_perturbations
from wildlens.evaluate.samples import (
    Read,
    Sample,
    attribution_reader,
    build_sample,
    open_attributions,
    read_attribution,
)
from wildlens.evaluate.scene_metrics import scenes_table
from wildlens.evaluate.scenes import class_rows, scene_rows
from wildlens.evaluate.scores import generate, read_images, score_images, scores_table
from wildlens.evaluate.tables import (
    finite,
    groups_table,
    methods_table,
    rules_table,
    tiles_table,
)
from wildlens.evaluate.target_groups import TARGETS, build_groups
from wildlens.evaluate.texture import texture_row
from wildlens.files.atomic import write_text
from wildlens.files.frames import write_frame
from wildlens.files.map_tags import maps_by_scene
from wildlens.files.model_metadata import check_pair
from wildlens.files.reflectance import to_reflectance
from wildlens.progress import track
from wildlens.registry.record import RANDOMISED
from wildlens.settings import Evaluation
from wildlens.tiles.store import open_tiles, rows_of
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)

TEST_TILES = "test tiles"
IMAGE = "image"  # row of texture.csv


def evaluate(
    tiles: Path,
    classifier: Path,
    generators: Path,
    attributions: Sequence[Path],
    maps: Sequence[Path],
    landcovers: Sequence[Path],
    output: Path,
    settings: Evaluation,
    device: str = "auto",
    truths: Mapping[str, Path] | None = None,
) -> None:
    """Write the files above, warnings.txt and provenance.json to the folder `output`.

    Args:
        tiles: tiles.zarr; attributions: one zarr store per method, of the same tiles.
        maps: attribution maps of whole scenes; landcovers: their land cover, named by the scene.
        truths: scene -> its reference land cover, CORINE index on the scene's grid.
        device: where the networks run (`networks.device`).

    Raises:
        WildLensError: inputs that do not belong together, or tiles without the target group.
    """
    check_pair(classifier, generators)
    stores = open_attributions(attributions)
    samples = {split: build_sample(split, tiles, stores) for split in ("val", "test")}
    names = samples["test"].names
    chosen = choose_tiles(len(names), settings)
    network, images = read_images(tiles, names[chosen], classifier, device)
    blocks = samples["test"].blocks[chosen]
    faithfulness = Faithfulness(network, images, chosen, blocks, settings)
    found = _compare_all(stores, samples, faithfulness, settings)
    truths, by_scene = dict(truths or {}), maps_by_scene(maps)
    covers = {"corine": {path.stem: path for path in landcovers}, "truth": truths}
    scenes = scenes_table(by_scene, truths, found.comparisons, settings)
    classes = found.classes + scene_rows(by_scene, covers, found.comparisons, settings)
    networks = (classifier, generators, device)
    scored = score_images(tiles, names, *networks, build_perturbations(settings))
    positions = choose_examples(scored.scores)
    shown = names[list(positions)]
    bands = open_tiles(tiles)["band"].values.tolist()
    examples = gather(shown, positions.values(), bands, generate(tiles, shown, *networks))
    image_texture = texture_row(IMAGE, _mean_images(tiles, names))

    tables = {
        "methods": methods_table(found.comparisons, _about(stores)),
        "rules": rules_table(found.comparisons),
        "groups": groups_table(found.comparisons),
        "tiles": tiles_table(found.comparisons, samples["test"]),
        "differences": differences_table(found.comparisons),
        "scenes": scenes,
        "classes": pd.DataFrame(classes),
        "faithfulness": pd.DataFrame(found.faithfulness),
        "completeness": completeness_table(stores),
        "scores": scores_table("test", scored, settings.order_margin),
        "texture": pd.DataFrame([image_texture, *found.texture]),
    }
    for name, table in tables.items():
        _write_table(output / f"{name}.csv", table)
    write_examples(output / "examples.npz", examples)
    warnings = warnings_of(*(tables[n] for n in ("methods", "classes", "scores", "texture")))
    write_warnings(output / "warnings.txt", "evaluate", warnings)
    inputs = [tiles, classifier, generators, *attributions, *maps, *landcovers, *truths.values()]
    record = provenance.record("evaluate", settings, inputs)
    write_text(output / "provenance.json", json.dumps(record, indent=2) + "\n")
    _report(output, tables["methods"], settings)


@dataclass(frozen=True)
class Findings:
    """Comparisons of all methods, and rows of classes.csv, faithfulness.csv and texture.csv."""

    comparisons: list[Comparison]
    classes: list[dict]
    faithfulness: list[dict]
    texture: list[dict]


def _compare_all(
    stores: Mapping[str, xr.Dataset],
    samples: dict[str, Sample],
    faithfulness: Faithfulness,
    settings: Evaluation,
) -> Findings:
    """Compare every method with every target group, method by method."""
    groups = build_groups(samples, settings)
    validation, test, found = samples["val"], samples["test"], Findings([], [], [], [])
    shares = {}
    for group in groups:
        if group.name == TARGETS:
            known, target = group.pixels(validation)
            shares[group.reference] = [*settings.top_shares, target / known]
    for method, store in track(stores.items(), "methods", total=len(stores), unit="method"):
        of_validation = attribution_reader(store, validation.names)
        thresholds = choose_thresholds(groups, validation, of_validation)
        read = attribution_reader(store, test.names)
        comparisons = compare(method, groups, thresholds, read, test, shares)
        found.comparisons.extend(comparisons)
        for comparison in comparisons:
            if (group := comparison.group).name == TARGETS:
                totals = _tile_totals(comparison, read, test)
                found.classes.extend(
                    class_rows(method, group.reference, TEST_TILES, totals, settings)
                )
        pairs = _with_randomised(stores, method, test)
        chosen = read_attribution(store, test.names[faithfulness.chosen])
        found.faithfulness.append(faithfulness.row(method, chosen, pairs))
        found.texture.append(texture_row(method, _each(test, read)))
    return found


def _each(sample: Sample, read: Read) -> Iterator[np.ndarray]:
    """The attribution of each tile, (y, x) float32."""
    for tiles in sample.spans():
        yield from read(tiles)


def _with_randomised(
    stores: Mapping[str, xr.Dataset], method: str, test: Sample
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each tile's map, and that of the randomised classifier; none without."""
    other = stores.get(f"{method}{RANDOMISED}")
    if other is not None:
        readers = (attribution_reader(store, test.names) for store in (stores[method], other))
        yield from zip(*(_each(test, read) for read in readers), strict=True)


def _mean_images(tiles: Path, names: np.ndarray) -> Iterator[np.ndarray]:
    """Mean reflectance over the bands of each tile, (y, x) float32, NaN = missing."""
    store = open_tiles(tiles)
    for row in rows_of(store["name"].values, names):
        stored = store["reflectance"].isel(tile=row).values
        mean = to_reflectance(stored).mean(axis=0)
        yield np.where((stored > 0).all(axis=0), mean, np.float32(np.nan))


def _about(stores: Mapping[str, xr.Dataset]) -> dict[str, dict[str, str]]:
    """Method -> what its store tells of it; empty where it does not."""
    names = ("unit", "baseline", "sign_rule", "symmetries")
    return {
        method: {name: str(store.attrs.get(name, "")) for name in names}
        for method, store in stores.items()
    }


def _tile_totals(comparison: Comparison, read: Read, sample: Sample) -> ClassTotals:
    totals = ClassTotals()
    marks = comparison.metrics["share_high"] > 0
    for tiles in sample.spans():
        classes = sample.classes(comparison.group.reference, tiles)
        totals.add(read(tiles), classes, comparison.threshold if marks else np.inf)
    return totals


def _write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV with six significant digits; thresholds in full, so that they can be applied again."""
    table = finite(table)
    if "threshold" in table:
        texts = table["threshold"].map(repr).where(table["threshold"].notna(), "")
        table = table.assign(threshold=texts)
    write_frame(path, table)


def _report(output: Path, methods: pd.DataFrame, settings: Evaluation) -> None:
    first = methods.iloc[0]
    log.info(
        "evaluate: %d methods on %d test tiles in %d blocks (95 %% intervals over blocks) -> %s",
        methods["method"].nunique(), first["tiles"], first["blocks"], output,
    )  # fmt: skip
    groups = {TARGETS: settings.targets} | settings.groups
    for group, codes in groups.items():
        log.info("evaluate: group '%s': CORINE %s", group, ", ".join(map(str, codes)))
    columns = [
        "method", "reference", "auroc", "average_precision", "iou", "iou_low", "iou_high",
        "iou_otsu", "iou_tiles", "target_share", "iou_ceiling", "iou_minus_gan",
        "iou_minus_gan_low", "iou_minus_gan_high",
    ]  # fmt: skip
    text = methods[columns].to_string(index=False, float_format="{:.3f}".format, na_rep="-")
    for line in text.splitlines():
        log.info(line)
