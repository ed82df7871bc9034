"""How well each method's attribution finds the target group: methods.csv, rules.csv, groups.csv.

The rule was fixed beforehand and is the same for every method: one threshold in the method's own
unit, which maximises the pooled IoU on the validation tiles, is applied unchanged to the test
tiles. No figure of the test tiles chooses anything.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.bootstrap import interval
from wildlens.evaluate.ranking import Ranking
from wildlens.evaluate.rules import OTSU, VALIDATION, Outcome, masks_by_tile, outcome, tile_rules
from wildlens.evaluate.samples import REFERENCES, Sample
from wildlens.evaluate.target_groups import TARGETS, Question

PAIRED_WITH = "gan"  # the paper's own map: all other methods are compared with it


@dataclass(frozen=True)
class Comparison:
    """One method against one question on the test tiles.

    Attributes:
        threshold: in the method's unit, chosen on validation tiles.
        figures: column of groups.csv, and for the target group of methods.csv -> value.
        rules: rows of rules.csv (target group only).
        resampled: figure -> (resamples,), NaN where undefined; these can be compared in pairs.
    """

    method: str
    question: Question
    threshold: float
    figures: dict[str, float]
    rules: list[dict]
    resampled: dict[str, np.ndarray]


def compare(
    method: str,
    question: Question,
    values: np.ndarray,
    rankings: dict[str, Ranking],
    test: Sample,
    draws: np.ndarray,
    top_shares: list[float],
) -> Comparison:
    """Compare one method with one question.

    Args:
        values: (tile, y, x) float32 of the test tiles, NaN = missing.
        rankings: of all valid pixels of the splits "val" and "test".
        draws: (resamples, blocks) of the test tiles' blocks, see `bootstrap.draw_blocks`.
        top_shares: rules beside the fixed one, for the target group.
    """
    known, target, blocks = question.known["test"], question.target["test"], test.blocks
    validation = rankings["val"].within(question.known["val"])
    threshold = validation.best_threshold(question.target["val"])
    ranking = rankings["test"].within(known)
    fixed = outcome((values >= np.float32(threshold)) & known, known, target, blocks, draws)
    figures = {
        "tiles": len(values),
        "blocks": draws.shape[1],
        "pixels": np.count_nonzero(known),
        "auroc": ranking.auroc(target),
        "average_precision": ranking.average_precision(target),
        "target_share": np.count_nonzero(target) / np.count_nonzero(known),
        "threshold": threshold,
        **fixed.figures,
        "iou_ceiling": question.ceiling,
    }
    if question.group != TARGETS:
        return Comparison(method, question, threshold, figures, [], {})
    others = _other_rules(question, values, test, draws, top_shares)
    more, resampled = _more_figures(question, values, ranking, blocks, draws)
    resampled |= {"iou": fixed.iou, "iou_tiles": fixed.iou_tiles}
    figures |= more | {"rule": VALIDATION, "iou_otsu": others[OTSU].figures["iou"]}
    rows = {VALIDATION: fixed, **others}
    rules = [
        {"rule": name, "threshold": threshold if name == VALIDATION else np.nan, **o.figures}
        for name, o in rows.items()
    ]
    return Comparison(method, question, threshold, figures, rules, resampled)


def _other_rules(question: Question, values, test: Sample, draws, top_shares) -> dict[str, Outcome]:
    known, target = question.known["test"], question.target["test"]
    of_validation = question.target["val"].sum() / question.known["val"].sum()
    # a tile's threshold is of all its pixels: what a reference does not know does not move it
    return {
        name: outcome(
            masks_by_tile(values, test.valid, rule) & known, known, target, test.blocks, draws
        )
        for name, rule in tile_rules(top_shares, of_validation).items()
    }


def _more_figures(
    question: Question, values: np.ndarray, ranking: Ranking, blocks: np.ndarray, draws: np.ndarray
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Figures of the target group alone, with intervals, and those that can be paired."""
    known, target = question.known["test"], question.target["test"]
    of_pixel = np.broadcast_to(blocks[:, None, None], values.shape)
    auroc, precision = ranking.resampled(target, of_pixel, draws)
    by_tile = {
        "auroc_tiles": tile_metrics.tile_aurocs(values, known, target),
        "pointing_game": tile_metrics.pointing_game(values, known, target),
    }
    resampled = {"auroc": auroc, "average_precision": precision} | {
        name: tile_metrics.resampled_mean(figure, blocks, draws) for name, figure in by_tile.items()
    }
    figures = {name: tile_metrics.mean(figure) for name, figure in by_tile.items()}
    for name, samples in resampled.items():
        figures[f"{name}_low"], figures[f"{name}_high"] = interval(samples, draws.shape[1])
    return figures, resampled


METHOD_COLUMNS = [
    "tiles", "blocks", "pixels", "auroc", "auroc_low", "auroc_high", "average_precision",
    "average_precision_low", "average_precision_high", "auroc_tiles", "auroc_tiles_low",
    "auroc_tiles_high", "pointing_game", "pointing_game_low", "pointing_game_high", "iou",
    "iou_low", "iou_high", "iou_tiles", "iou_tiles_low", "iou_tiles_high", "tiles_with_target",
    "share_inside", "share_high", "threshold", "rule", "iou_otsu", "target_share", "iou_ceiling",
]  # fmt: skip
GROUP_COLUMNS = [
    "tiles", "target_share", "auroc", "average_precision", "threshold", "iou", "iou_low",
    "iou_high", "iou_tiles", "tiles_with_target", "share_inside", "iou_ceiling",
]  # fmt: skip


def methods_table(comparisons: list[Comparison], about: dict[str, dict[str, str]]) -> pd.DataFrame:
    """methods.csv: one row for each method and reference, with the difference to the paper's map.

    References follow each other; within one, methods keep their order. Where the paper's map is not
    among the methods, and in its own row, the difference is empty.

    Args:
        about: method -> what its row says of it: unit, baseline, sign rule and symmetries.
    """
    chosen = in_order(comparisons, of_targets=True)
    paired = {c.question.reference: c for c in chosen if c.method == PAIRED_WITH}
    rows = []
    for c in chosen:
        row = _head(c) | {name: c.figures[name] for name in METHOD_COLUMNS}
        other = paired.get(c.question.reference)
        difference = low = high = float("nan")
        if other is not None and other is not c:
            difference = c.figures["iou"] - other.figures["iou"]
            low, high = interval(c.resampled["iou"] - other.resampled["iou"], c.figures["blocks"])
        name = f"iou_minus_{PAIRED_WITH}"
        row |= {name: difference, f"{name}_low": low, f"{name}_high": high}
        rows.append(row | about.get(c.method, {}))
    return pd.DataFrame(rows)


def rules_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """rules.csv: one row for each method, reference and rule of what is high."""
    chosen = in_order(comparisons, of_targets=True)
    return pd.DataFrame([_head(c) | row for c in chosen for row in c.rules])


def groups_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """groups.csv: one row for each method, reference and group, the target group among them."""
    return pd.DataFrame(
        [
            _head(c)
            | {"group": c.question.group, "codes": " ".join(map(str, c.question.codes))}
            | {name: c.figures[name] for name in GROUP_COLUMNS}
            for c in in_order(comparisons)
        ]
    )


def in_order(comparisons: list[Comparison], of_targets: bool = False) -> list[Comparison]:
    """By reference and, within one, as given; of the target group alone if asked for."""
    order = {reference: position for position, reference in enumerate(REFERENCES)}
    kept = [c for c in comparisons if not of_targets or c.question.group == TARGETS]
    return sorted(kept, key=lambda c: order[c.question.reference])


def _head(comparison: Comparison) -> dict[str, str]:
    return {"method": comparison.method, "reference": comparison.question.reference}
