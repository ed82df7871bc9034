"""Tables of the comparison with land cover: methods, rules, groups, tiles."""

import numpy as np
import pandas as pd

from wildlens.evaluate.comparison import Comparison
from wildlens.evaluate.intervals import difference_interval, with_interval
from wildlens.evaluate.samples import REFERENCES, Sample
from wildlens.evaluate.target_groups import TARGETS

PAIRED_WITH = "gan"  # the paper's map: all other methods are compared with it
METHOD_COLUMNS = [
    "tiles", "blocks", "pixels", "auroc", "auroc_low", "auroc_high", "average_precision",
    "average_precision_low", "average_precision_high", "auroc_tiles", "auroc_tiles_low",
    "auroc_tiles_high", "pointing_game", "pointing_game_low", "pointing_game_high", "iou",
    "iou_low", "iou_high", "iou_tiles", "iou_tiles_low", "iou_tiles_high", "tiles_with_target",
    "share_inside", "share_high", "tiles_marked", "note", "threshold", "rule", "iou_otsu",
    "target_share", "iou_ceiling",
]  # fmt: skip
GROUP_COLUMNS = [
    "tiles", "target_share", "auroc", "average_precision", "threshold", "iou", "iou_low",
    "iou_high", "iou_tiles", "tiles_with_target", "share_inside", "share_high", "note",
    "iou_ceiling",
]  # fmt: skip
RULE_COLUMNS = [
    "rule", "threshold", "share_high", "tiles_marked", "iou", "iou_low", "iou_high", "iou_tiles",
    "iou_tiles_low", "iou_tiles_high", "tiles_with_target", "share_inside", "note",
]  # fmt: skip


def methods_table(comparisons: list[Comparison], about: dict[str, dict[str, str]]) -> pd.DataFrame:
    """methods.csv: one row per method and reference, with the difference to the paper's map.

    References follow each other; within one, methods keep their order. If the paper's map is not
    among the methods, and in its own row, the difference is empty.

    Args:
        about: method -> its unit, baseline, sign rule and symmetries.
    """
    chosen = in_order(comparisons, of_targets=True)
    paired = {c.group.reference: c for c in chosen if c.method == PAIRED_WITH}
    rows = []
    for c in chosen:
        row = _head(c) | {name: c.metrics[name] for name in METHOD_COLUMNS}
        other = paired.get(c.group.reference)
        difference, replicates = float("nan"), c.replicates["iou"]
        if other is not None and other is not c:
            difference = c.metrics["iou"] - other.metrics["iou"]
            replicates = replicates - other.replicates["iou"]
        name = f"iou_minus_{PAIRED_WITH}"
        row |= with_interval(name, difference, replicates, difference_interval)
        rows.append(row | about.get(c.method, {}))
    return pd.DataFrame(rows)


def rules_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """rules.csv: one row per method, reference and rule of what is high."""
    return pd.DataFrame(
        [
            _head(c) | {name: row[name] for name in RULE_COLUMNS}
            for c in in_order(comparisons, of_targets=True)
            for row in c.rules
        ]
    )


def groups_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """groups.csv: one row per method, reference and group, the target group among them."""
    return pd.DataFrame(
        [
            _head(c)
            | {"group": c.group.name, "codes": " ".join(map(str, c.group.codes))}
            | {name: c.metrics[name] for name in GROUP_COLUMNS}
            for c in in_order(comparisons)
        ]
    )


def tiles_table(comparisons: list[Comparison], test: Sample) -> pd.DataFrame:
    """tiles.csv: one row per method, reference and test tile."""
    tables = [
        pd.DataFrame(_head(c) | {"tile": test.names, "block": test.blocks} | c.by_tile)
        for c in in_order(comparisons, of_targets=True)
    ]
    return pd.concat(tables, ignore_index=True)


def in_order(comparisons: list[Comparison], of_targets: bool = False) -> list[Comparison]:
    """By reference and, within one, as given; of the target group alone if asked for."""
    order = {reference: position for position, reference in enumerate(REFERENCES)}
    kept = [c for c in comparisons if not of_targets or c.group.name == TARGETS]
    return sorted(kept, key=lambda c: order[c.group.reference])


def finite(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with missing for infinite numbers: the cells of a CSV are then empty."""
    return table.replace([np.inf, -np.inf], np.nan)


def _head(comparison: Comparison) -> dict[str, str]:
    return {"method": comparison.method, "reference": comparison.group.reference}
