"""How well each method's attribution finds the target group: methods.csv.

The rule was fixed beforehand and is the same for every method: one threshold in the method's own
unit, which maximises the pooled IoU on the validation tiles, is applied unchanged to the test
tiles. No figure of the test tiles chooses anything.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from wildlens.errors import WildLensError
from wildlens.evaluation.bootstrap import interval, resampled_iou
from wildlens.evaluation.samples import REFERENCES, SPLITS, Sample
from wildlens.evaluation.thresholds import best_threshold, iou, otsu_threshold
from wildlens.legend import CORINE

RULE = "validation threshold, pooled IoU"
PAIRED_WITH = "gan"  # the paper's own map: all other methods are compared with it


@dataclass(frozen=True)
class Comparison:
    """One method against one reference on the test tiles.

    Attributes:
        threshold: in the method's unit, chosen on validation tiles.
        figures: column of methods.csv -> value.
        resampled: (resamples,) IoU of each resample of blocks, NaN where undefined.
    """

    method: str
    reference: str
    threshold: float
    figures: dict[str, float]
    resampled: np.ndarray


def check_targets(samples: dict[str, Sample], reference: str, codes: list[int]) -> None:
    """Refuse samples that hold no target pixel, or nothing else: nothing could be compared."""
    for split, sample in samples.items():
        known = sample.known(reference)
        target = is_target(sample.references[reference], codes) & known
        if not target.any() or target.sum() == known.sum():
            group = ", ".join(map(str, codes))
            raise WildLensError(
                f"the {target.shape[0]} attributed {SPLITS[split]} tiles hold "
                f"{'no' if not target.any() else 'nothing but'} pixels of the target group "
                f"({group}) in {REFERENCES[reference]}; change evaluation.targets, or attribute "
                f"more tiles (attribution.max_tiles, tiles.{SPLITS[split]})"
            )


def is_target(classes: np.ndarray, codes: list[int]) -> np.ndarray:
    """Where CORINE indices (uint8, any shape) belong to the target group, bool of that shape."""
    return np.isin(classes, CORINE.indices_of(codes))


def otsu_masks(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """High attribution by each tile's own Otsu threshold, (tile, y, x) bool, False where invalid.

    Args:
        values: (tile, y, x) float32; valid: (tile, y, x) bool.
    """
    high = np.zeros(values.shape, bool)
    for tile, pixels, mask in zip(values, valid, high, strict=True):
        mask[pixels] = tile[pixels] >= otsu_threshold(tile[pixels])
    return high


def compare(
    method: str,
    reference: str,
    samples: dict[str, Sample],
    values: dict[str, np.ndarray],
    otsu: np.ndarray,
    codes: list[int],
    draws: np.ndarray,
) -> Comparison:
    """Compare one method with one reference.

    Args:
        samples, values: of the splits "val" and "test"; values (tile, y, x) float32, NaN = missing.
        otsu: (tile, y, x) bool of the test tiles, see `otsu_masks`.
        codes: CORINE codes of the target group.
        draws: (resamples, blocks) of the test tiles' blocks, see `bootstrap.draw_blocks`.
    """
    known = samples["val"].known(reference)
    target = is_target(samples["val"].references[reference], codes)
    threshold = best_threshold(values["val"][known], target[known])

    test = samples["test"]
    known = test.known(reference)
    target = is_target(test.references[reference], codes) & known
    high = (values["test"] >= np.float32(threshold)) & known
    scores, truth = values["test"][known], target[known]
    resampled = resampled_iou(
        _by_block(high & target, test.blocks), _by_block(high | target, test.blocks), draws
    )
    low, up = interval(resampled, draws.shape[1])
    figures = {
        "tiles": len(test.names),
        "blocks": draws.shape[1],
        "pixels": truth.size,
        "auroc": roc_auc_score(truth, scores),
        "average_precision": average_precision_score(truth, scores),
        "iou": iou(high, target),
        "iou_low": low,
        "iou_high": up,
        "threshold": threshold,
        "rule": RULE,
        "iou_otsu": iou(otsu & known, target),
        "target_share": truth.mean(),
    }
    return Comparison(method, reference, threshold, figures, resampled)


def _by_block(mask: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """True pixels of each block, (blocks,) int64."""
    counts = np.zeros(blocks.max() + 1, np.int64)
    np.add.at(counts, blocks, np.count_nonzero(mask, axis=(1, 2)))
    return counts


def methods_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """methods.csv: one row for each comparison, with the paired difference to the paper's map.

    References follow each other; within one, methods keep their order. Where the paper's map is not
    among the methods, and in its own row, the difference is empty.
    """
    paired = {c.reference: c for c in comparisons if c.method == PAIRED_WITH}
    order = {reference: position for position, reference in enumerate(REFERENCES)}
    rows = []
    for c in sorted(comparisons, key=lambda c: order[c.reference]):
        row = {"method": c.method, "reference": c.reference, **c.figures}
        other = paired.get(c.reference)
        difference = low = high = float("nan")
        if other is not None and other is not c:
            difference = c.figures["iou"] - other.figures["iou"]
            low, high = interval(c.resampled - other.resampled, c.figures["blocks"])
        name = f"iou_minus_{PAIRED_WITH}"
        rows.append(row | {name: difference, f"{name}_low": low, f"{name}_high": high})
    return pd.DataFrame(rows)
