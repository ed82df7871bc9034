"""How far a figure might move with another sample of land: a bootstrap over spatial blocks.

Neighbouring pixels, and tiles of one block, are alike; resampling them would make intervals that
are far too narrow. What is drawn with replacement are the blocks of the split.
"""

import numpy as np

COVERAGE = 0.95


def draw_blocks(blocks: int, resamples: int, seed: int) -> np.ndarray:
    """How often each block is drawn in each resample, (resamples, blocks) int64.

    Drawn once and used for every method, which makes differences between methods paired.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)


def resampled_iou(intersection: np.ndarray, union: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Pooled IoU of every resample, (resamples,) float64; NaN where the drawn blocks hold no union.

    Args:
        intersection, union: (blocks,) pixels of each block.
        draws: (resamples, blocks), see `draw_blocks`.
    """
    total = draws @ union
    return np.divide(draws @ intersection, total, out=np.full(len(total), np.nan), where=total > 0)


def interval(samples: np.ndarray, blocks: int) -> tuple[float, float]:
    """Percentile interval of resampled figures that covers 95 %; NaN for a single block."""
    samples = samples[np.isfinite(samples)]
    if blocks < 2 or samples.size == 0:
        return float("nan"), float("nan")
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(samples, [tail, 100 - tail])
    return float(low), float(high)
