"""Attributions against land cover: the tables that say how good an explanation is, and of what.

methods.csv       how well each method finds the target group (wetlands and bare land)
rules.csv         the same by other rules of what counts as high attribution
groups.csv        the same for other groups of classes
differences.csv   paired differences between all methods, with their intervals
classes.csv       what each method highlights, class by class, on test tiles and on whole scenes
faithfulness.csv  whether the classifier uses what is highlighted; needs no land cover
completeness.csv  whether contributions add up to what they share out
scores.csv        what the generators do to the classifier's score, and whether it is visible
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wildlens import provenance
from wildlens.errors import WildLensError
from wildlens.evaluate.bootstrap import draw_blocks
from wildlens.evaluate.checks import warnings_of
from wildlens.evaluate.class_attribution import ClassTotals, map_totals
from wildlens.evaluate.completeness import completeness_table
from wildlens.evaluate.differences import differences_table
from wildlens.evaluate.faithfulness import choose_tiles, faithfulness_table
from wildlens.evaluate.metrics import (
    Comparison,
    compare,
    groups_table,
    methods_table,
    rules_table,
)
from wildlens.evaluate.perturbations import build_perturbations
from wildlens.evaluate.ranking import rank
from wildlens.evaluate.samples import Sample, build_sample, open_attributions, read_attribution
from wildlens.evaluate.scores import read_images, score_images, scores_table
from wildlens.evaluate.target_groups import TARGETS, build_questions
from wildlens.files.atomic import write_text
from wildlens.files.raster import open_raster
from wildlens.legend import CORINE
from wildlens.progress import track
from wildlens.settings import Evaluation
from wildlens.warnings import write_warnings

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
    """Write the tables above and provenance.json to the folder `output`.

    Args:
        tiles: tiles.zarr; attributions: one zarr store for each method, of the same tiles.
        maps: attribution maps of whole scenes; landcovers: their land cover, named by the scene.
        device: where the networks run (`networks.device`).

    Raises:
        WildLensError: inputs that do not belong together, or tiles without the target group.
    """
    stores = open_attributions(attributions)
    samples = {split: build_sample(split, tiles, stores) for split in ("val", "test")}
    comparisons, classes = _compare_all(stores, samples, settings)
    classes += _scene_rows(maps, landcovers, comparisons, settings)
    names = samples["test"].names
    scored = score_images(
        tiles, names, classifier, generators, device, build_perturbations(settings)
    )

    tables = {
        "methods": methods_table(comparisons, _about(stores)),
        "rules": rules_table(comparisons),
        "groups": groups_table(comparisons),
        "differences": differences_table(comparisons),
        "classes": pd.DataFrame(classes),
        "faithfulness": _faithfulness(tiles, classifier, stores, names, settings, device),
        "completeness": completeness_table(stores),
        "scores": scores_table("test", scored, settings.order_margin),
    }
    for name, table in tables.items():
        _write_table(output / f"{name}.csv", table)
    write_warnings(output / "warnings.txt", "evaluate", warnings_of(tables["methods"]))
    inputs = [tiles, classifier, generators, *attributions, *maps, *landcovers]
    record = provenance.record("evaluate", settings, inputs)
    write_text(output / "provenance.json", json.dumps(record, indent=2) + "\n")
    _report(output, tables["methods"], settings)


def _compare_all(
    stores: Mapping[str, xr.Dataset], samples: dict[str, Sample], settings: Evaluation
) -> tuple[list[Comparison], list[dict]]:
    """Every method against every question, and rows of classes.csv for the test tiles."""
    questions = build_questions(samples, settings)
    test = samples["test"]
    draws = draw_blocks(int(test.blocks.max()) + 1, settings.resamples, settings.seed)
    comparisons, classes = [], []
    for method, store in track(stores.items(), "methods", total=len(stores), unit="method"):
        values = {split: read_attribution(store, s.names) for split, s in samples.items()}
        rankings = {split: rank(values[split], s.valid) for split, s in samples.items()}
        for question in questions:
            comparison = compare(
                method, question, values["test"], rankings, test, draws, settings.top_shares
            )  # fmt: skip
            comparisons.append(comparison)
            if question.group == TARGETS:
                totals = _tile_totals(comparison, values["test"], test)
                classes += _rows(method, question.reference, TEST_TILES, totals, settings)
    return comparisons, classes


def _about(stores: Mapping[str, xr.Dataset]) -> dict[str, dict[str, str]]:
    """Method -> what its store says of it; empty where it does not."""
    names = ("unit", "baseline", "sign_rule", "symmetries")
    return {
        method: {name: str(store.attrs.get(name, "")) for name in names}
        for method, store in stores.items()
    }


def _faithfulness(
    tiles: Path,
    classifier: Path,
    stores: Mapping[str, xr.Dataset],
    names: np.ndarray,
    settings: Evaluation,
    device: str,
) -> pd.DataFrame:
    chosen = choose_tiles(len(names), settings)
    network, images = read_images(tiles, names[chosen], classifier, device)
    values = {method: read_attribution(store, names) for method, store in stores.items()}
    return faithfulness_table(network, images, chosen, values, settings)


def _tile_totals(comparison: Comparison, values: np.ndarray, sample: Sample) -> ClassTotals:
    totals = ClassTotals()
    classes = np.where(sample.valid, sample.references[comparison.question.reference], 0)
    totals.add(values, classes, comparison.threshold)
    return totals


def _scene_rows(maps, landcovers, comparisons: list[Comparison], settings) -> list[dict]:
    """Rows of all mapped scenes that have land cover; the others are named in the log."""
    thresholds = {
        c.method: c.threshold
        for c in comparisons
        if (c.question.reference, c.question.group) == ("corine", TARGETS)
    }
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


def _report(output: Path, methods: pd.DataFrame, settings: Evaluation) -> None:
    first = methods.iloc[0]
    log.info(
        "evaluate: %d methods on %d test tiles in %d blocks (95 %% intervals over blocks) -> %s",
        methods["method"].nunique(), first["tiles"], first["blocks"], output,
    )  # fmt: skip
    groups = {TARGETS: settings.targets} | settings.groups
    for group, codes in groups.items():
        log.info("evaluate: group '%s': CORINE %s", group, ", ".join(map(str, codes)))
    if first["blocks"] < FEW_BLOCKS:
        log.warning(
            "evaluate: WARNING: the test tiles lie in %d blocks only: intervals of the IoU are too "
            "short",
            first["blocks"],
        )
    columns = [
        "method", "reference", "auroc", "average_precision", "iou", "iou_low", "iou_high",
        "iou_otsu", "iou_tiles", "target_share", "iou_ceiling", "iou_minus_gan",
        "iou_minus_gan_low", "iou_minus_gan_high",
    ]  # fmt: skip
    text = methods[columns].to_string(index=False, float_format="{:.3f}".format, na_rep="-")
    for line in text.splitlines():
        log.info(line)
