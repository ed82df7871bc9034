"""Confidence of the classifier, and maps where it is high or low: tables (CSV).

tiles.csv             score, uncertainty and distance from the training set of each tile
calibration.csv       calibration error, Brier score and log loss, before and after the temperature
reliability.csv       observed share of natural tiles by score
filtered.csv          maps of the surest test tiles: entropy, IoU, AUROC
filtered_classes.csv  mean attribution and rank of each land-cover class on these tiles
classes.csv           index of land-cover classes: contribution divided by uncertainty
disagreement.csv      error rate of pixels by the members' disagreement; several members only
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wildlens import provenance
from wildlens.confidence.calibration_tables import (
    Temperature,
    calibration_table,
    choose_temperature,
    reliability_table,
)
from wildlens.confidence.checks import warnings_of
from wildlens.confidence.class_index import COLUMNS, Tiles, class_index_rows
from wildlens.confidence.disagreement import disagreement_rows, has_members
from wildlens.confidence.distance import fit_gaussians
from wildlens.confidence.filtered import filtered_class_rows, filtered_rows
from wildlens.confidence.known import Known, labelled, read_known
from wildlens.confidence.map_statistics import TileStatistics, tile_statistics
from wildlens.confidence.members import Scores, combine_scores
from wildlens.confidence.predictions import Prediction, predict_all
from wildlens.confidence.shares import class_shares
from wildlens.confidence.subsets import choose_subsets
from wildlens.confidence.tile_table import tile_table
from wildlens.evaluate.metrics import rank_sample
from wildlens.evaluate.samples import (
    Sample,
    attribution_reader,
    build_sample,
    open_attributions,
)
from wildlens.evaluate.tables import finite
from wildlens.evaluate.target_groups import TARGETS, TargetGroup, build_groups
from wildlens.files.atomic import remove, write_text
from wildlens.files.frames import write_frame
from wildlens.progress import track
from wildlens.settings import Confidence, Evaluation, dump_section
from wildlens.settings import Tiles as TilesSection
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)


def measure_confidence(
    tiles: Path,
    classifiers: Sequence[Path],
    attributions: Sequence[Path],
    output: Path,
    settings: Confidence,
    evaluation: Evaluation,
    device: str = "auto",
    areas: Path | None = None,
    tiles_settings: TilesSection | None = None,
) -> None:
    """Write the files above, warnings.txt and provenance.json to the folder `output`.

    Nothing is chosen on test tiles: temperature and thresholds are of the validation tiles, the
    Gaussians and the regression of the training tiles.

    Args:
        tiles: tiles.zarr; classifiers: of all members, in their order; attributions: one zarr store
            per method, of the same tiles, of one training or combined.
        evaluation: the target group. device: where the networks run (`networks.device`).
        areas: protected areas, for their categories; tiles_settings: which of them count.

    Raises:
        WildLensError: inputs that do not belong together, or tiles without the target group.
    """
    stores = open_attributions(attributions)
    samples = {split: build_sample(split, tiles, stores) for split in ("val", "test")}
    groups = [g for g in build_groups(samples, evaluation) if g.name == TARGETS]
    predictions = predict_all(tiles, classifiers, device)
    known = read_known(tiles, predictions[0].target, areas, tiles_settings or TilesSection())
    scores = combine_scores([prediction.logits for prediction in predictions])
    distances = _distances(predictions, known)
    splits = {split: labelled(known, scores.logits, split) for split in ("val", "test")}
    temperature = choose_temperature(splits["val"], settings.temperature)
    tested = known.positions(samples["test"].names)
    subsets = choose_subsets(_uncertainties(scores, distances, tested), settings.shares)
    maps, disagreement = _maps(stores, samples, groups)

    blocks = samples["test"].blocks
    tables = {
        "tiles": tile_table(known.table, scores, distances, temperature.value),
        "calibration": calibration_table(splits, temperature, settings.bins),
        "reliability": reliability_table(splits, temperature, settings.bins),
        "filtered": pd.DataFrame([r for one in maps for r in filtered_rows(one, subsets, blocks)]),
        "filtered_classes": pd.DataFrame(
            [r for one in maps for r in filtered_class_rows(one, subsets, blocks)]
        ),
        "classes": _class_index(tiles, known, scores, maps, tested),
    }
    if scores.information is None:
        log.info("confidence: one classifier: without mutual information")
    if disagreement is not None:
        tables["disagreement"] = disagreement
    else:
        remove(output / "disagreement.csv")  # of a former run with several members
        log.info("confidence: no map of several members: without disagreement.csv")
    for name, table in tables.items():
        write_frame(output / f"{name}.csv", finite(table))
    given = settings.temperature is not None
    warnings = warnings_of(
        splits["val"], temperature, given, tables["calibration"], disagreement
    )  # fmt: skip
    write_warnings(output / "warnings.txt", "confidence", warnings)
    inputs = [tiles, *classifiers, *attributions, *([areas] if areas else [])]
    record = provenance.record("confidence", settings, inputs)
    record["wildlens_evaluation_settings"] = dump_section(evaluation, ["targets"])
    write_text(output / "provenance.json", json.dumps(record, indent=2) + "\n")
    _report(output, tables, temperature, len(classifiers))


def _distances(predictions: Sequence[Prediction], known: Known) -> np.ndarray | None:
    """Mean over members of the distance from the training tiles, (tile,); None without features."""
    training, found = known.rows("train") & np.isfinite(predictions[0].logits), []
    for prediction in predictions:
        if prediction.features is None or not training.any():
            continue
        gaussians = fit_gaussians(prediction.features[training], known.labels[training])
        if gaussians is not None:
            found.append(gaussians.distances(prediction.features))
    if not found:
        log.info("confidence: no features of training tiles: without the distance from them")
    return np.mean(found, axis=0) if found else None


def _uncertainties(
    scores: Scores, distances: np.ndarray | None, tested: np.ndarray
) -> dict[str, np.ndarray]:
    """Measure -> (tile,) uncertainty of the test tiles that were attributed."""
    found = {
        "entropy": scores.entropy,
        "mutual_information": scores.information,
        "feature_distance": distances,
    }
    return {name: values[tested] for name, values in found.items() if values is not None}


def _maps(
    stores: Mapping[str, xr.Dataset], samples: Mapping[str, Sample], groups: Sequence[TargetGroup]
) -> tuple[list[TileStatistics], pd.DataFrame | None]:
    """Statistics of all maps, and disagreement.csv; None if no method has members."""
    maps, rows = [], []
    test, validation = samples["test"], samples["val"]
    for method, store in track(stores.items(), "methods", total=len(stores), unit="method"):
        of_validation = attribution_reader(store, validation.names)
        rankings = rank_sample(groups, validation, of_validation)
        read = attribution_reader(store, test.names)
        maps += tile_statistics(method, groups, rankings, read, test)
        if has_members(store):
            thresholds = [ranking.best_threshold for ranking in rankings]
            rows += disagreement_rows(method, store, groups, thresholds, samples)
    several = any(has_members(store) for store in stores.values())
    return maps, pd.DataFrame(rows) if several else None


def _class_index(
    path: Path,
    known: Known,
    scores: Scores,
    maps: Sequence[TileStatistics],
    tested: np.ndarray,
) -> pd.DataFrame:
    columns = {name: known.table[name].to_numpy() for name in ("split", "block", "category")}
    tiles, rows = Tiles(natural=known.natural, **columns), []
    for reference, shares in class_shares(path).items():
        of_reference = [one for one in maps if one.reference == reference]
        found, left_out = class_index_rows(reference, tiles, shares, scores, of_reference, tested)
        rows += found
        if left_out:
            log.info("confidence: index by %s: too few tiles: %s", reference, ", ".join(left_out))
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=COLUMNS)


def _report(
    output: Path, tables: Mapping[str, pd.DataFrame], temperature: Temperature, members: int
) -> None:
    calibration = tables["calibration"]
    log.info(
        "confidence: %d members, temperature %.2f (95 %% interval %.2f to %.2f) -> %s",
        members, temperature.value, temperature.low, temperature.high, output,
    )  # fmt: skip
    for row in calibration[calibration["split"] == "test"].itertuples():
        log.info(
            "confidence: %d test tiles, %s the temperature: calibration error %.3f (%.3f by"
            " chance), Brier score %.3f, log loss %.3f",
            row.tiles, row.scores, row.ece, row.ece_if_calibrated, row.brier, row.nll,
        )  # fmt: skip
    classes = tables["classes"]
    if len(classes):
        first = classes[classes["reference"] == classes["reference"].iloc[0]]
        first = first[first["category"] == "all"].sort_values("rank_entropy", kind="stable")
        order = [f"{row.class_name} {row.index_entropy:.2f}" for row in first.itertuples()]
        log.info("confidence: index of classes: %s", ", ".join(order[:8]))
