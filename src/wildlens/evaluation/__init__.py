"""Attributions against land cover: the tables that say how good an explanation is, and of what.

methods.csv   how well each method finds the target group (wetlands and bare land)
classes.csv   what each method highlights, class by class, on test tiles and on whole scenes
scores.csv    what the generators do to the classifier's score
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wildlens import provenance
from wildlens.atomic import write_text
from wildlens.doubts import write_doubts
from wildlens.errors import WildLensError
from wildlens.evaluation.bootstrap import draw_blocks
from wildlens.evaluation.classes import ClassTotals, map_totals
from wildlens.evaluation.doubts import doubts
from wildlens.evaluation.methods import (
    Comparison,
    check_targets,
    compare,
    methods_table,
    otsu_masks,
)
from wildlens.evaluation.samples import Sample, build_sample, open_attributions, read_attribution
from wildlens.evaluation.scores import score_images, scores_table
from wildlens.legend import CORINE
from wildlens.progress import track
from wildlens.raster import open_raster
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)

TEST_TILES = "test tiles"
FEW_BLOCKS = 10  # with fewer, percentile intervals are known to be too short


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
) -> None:
    """Write methods.csv, classes.csv, scores.csv and provenance.json to the folder `output`.

    Args:
        tiles: tiles.zarr; attributions: one zarr store for each method, of the same tiles.
        maps: attribution maps of whole scenes; landcovers: their land cover, named by the scene.
        device: where the networks run (`networks.device`).

    Raises:
        WildLensError: inputs that do not belong together, or tiles without the target group.
    """
    stores = open_attributions(attributions)
    samples = {split: build_sample(split, tiles, stores) for split in ("val", "test")}
    references = _references(samples, settings)
    blocks = int(samples["test"].blocks.max()) + 1
    draws = draw_blocks(blocks, settings.resamples, settings.seed)
    comparisons, classes = [], []
    for method, store in track(stores.items(), "methods", total=len(stores), unit="method"):
        values = {split: read_attribution(store, s.names) for split, s in samples.items()}
        otsu = otsu_masks(values["test"], samples["test"].valid)
        for reference in references:
            comparison = compare(
                method, reference, samples, values, otsu, settings.targets, draws
            )  # fmt: skip
            comparisons.append(comparison)
            totals = _tile_totals(comparison, values["test"], samples["test"])
            classes += _rows(method, reference, TEST_TILES, totals, settings)
    classes += _scene_rows(maps, landcovers, comparisons, settings)
    scores = score_images(tiles, samples["test"].names, classifier, generators, device)

    methods = methods_table(comparisons)
    _write_table(output / "methods.csv", methods)
    _write_table(output / "classes.csv", pd.DataFrame(classes))
    _write_table(output / "scores.csv", scores_table("test", *scores))
    write_doubts(output / "warnings.txt", "evaluate", doubts(methods))
    inputs = [tiles, classifier, generators, *attributions, *maps, *landcovers]
    record = provenance.record("evaluate", settings, inputs)
    write_text(output / "provenance.json", json.dumps(record, indent=2) + "\n")
    _report(output, methods)


def _references(samples: dict[str, Sample], settings: Evaluation) -> list[str]:
    """References that both splits have; exact land cover is optional."""
    references = []
    for reference in samples["test"].references:
        if reference != "corine" and not all(s.known(reference).any() for s in samples.values()):
            log.info("evaluate: %s: not known for the attributed tiles, left out", reference)
            continue
        check_targets(samples, reference, settings.targets)
        references.append(reference)
    return references


def _tile_totals(comparison: Comparison, values: np.ndarray, sample: Sample) -> ClassTotals:
    totals = ClassTotals()
    classes = np.where(sample.valid, sample.references[comparison.reference], 0)
    totals.add(values, classes, comparison.threshold)
    return totals


def _scene_rows(maps, landcovers, comparisons: list[Comparison], settings) -> list[dict]:
    """Rows of all mapped scenes that have land cover; the others are named in the log."""
    thresholds = {c.method: c.threshold for c in comparisons if c.reference == "corine"}
    landcover_of = {path.stem: path for path in landcovers}
    rows, seen, without = [], {}, set()
    for path in track(maps, "scenes", unit="map"):
        scene, method = _scene_and_method(path)
        if (scene, method) in seen:
            raise WildLensError(
                f"{path}: a second map of scene '{scene}' by '{method}' "
                f"beside {seen[scene, method]}; give one"
            )
        seen[scene, method] = path
        if scene not in landcover_of:
            without.add(scene)
        elif method not in thresholds:
            log.info("evaluate: %s: left out, no attributions of '%s' were given", path, method)
        else:
            totals = map_totals(path, landcover_of[scene], thresholds[method])
            rows += _rows(method, "corine", scene, totals, settings)
    if without:
        log.info(
            "evaluate: scenes without land cover, left out of classes.csv: %s",
            ", ".join(sorted(without)),
        )
    return rows


def _scene_and_method(path: Path) -> tuple[str, str]:
    with open_raster(path) as dataset:
        tags = dataset.tags()
    try:
        return tags["wildlens_scene"], tags["wildlens_method"]
    except KeyError as error:
        raise WildLensError(f"{path}: has no tag {error}; is it a map of `wildlens map`?") from None


def _rows(method, reference, scene, totals: ClassTotals, settings: Evaluation) -> list[dict]:
    head = {"method": method, "reference": reference, "scene": scene}
    return [head | row for row in totals.rows(settings.targets, group_name(settings.targets))]


def group_name(codes: Sequence[int]) -> str:
    """What a target group is called: its name for the default group, else its classes' names."""
    if sorted(codes) == sorted(Evaluation().targets):
        return "wetlands and bare land"
    return " + ".join(CORINE.of_code(code).name for code in codes)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV with six significant digits; thresholds in full, so that they can be applied again."""
    if "threshold" in table:
        table = table.assign(threshold=table["threshold"].map(repr))
    write_text(path, table.to_csv(index=False, float_format="%.6g"))


def _report(output: Path, methods: pd.DataFrame) -> None:
    first = methods.iloc[0]
    log.info(
        "evaluate: %d methods on %d test tiles in %d blocks (95 %% intervals over blocks) -> %s",
        methods["method"].nunique(), first["tiles"], first["blocks"], output,
    )  # fmt: skip
    if first["blocks"] < FEW_BLOCKS:
        log.warning(
            "evaluate: WARNING: the test tiles lie in %d blocks only: intervals of the IoU are too "
            "short",
            first["blocks"],
        )
    columns = [
        "method", "reference", "auroc", "average_precision", "iou", "iou_low", "iou_high",
        "iou_otsu", "target_share", "iou_minus_gan", "iou_minus_gan_low", "iou_minus_gan_high",
    ]  # fmt: skip
    text = methods[columns].to_string(index=False, float_format="{:.3f}".format, na_rep="-")
    for line in text.splitlines():
        log.info(line)
