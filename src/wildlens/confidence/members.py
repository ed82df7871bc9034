"""One score of the members' logits, with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, logsumexp

from wildlens.combine.entropy import entropy, mutual_information


@dataclass(frozen=True)
class Scores:
    """Scores of tiles by all members, (tile,) float64 each; the last two need several members.

    Attributes:
        logits: log-odds of the mean score.
        mean: mean score.
        entropy: of the mean score, bits.
        sd: standard deviation of the members' scores, n - 1 in its denominator; None for one.
        information: mutual information between outcome and member, bits; None for one member.
    """

    logits: np.ndarray
    mean: np.ndarray
    entropy: np.ndarray
    sd: np.ndarray | None
    information: np.ndarray | None


def combine_scores(logits: Sequence[np.ndarray]) -> Scores:
    """Scores of tiles from the logits of each member, (tile,) float64 each."""
    stacked = np.stack(logits).astype(np.float64)
    scores = expit(stacked)
    several = len(stacked) > 1
    return Scores(
        logits=mean_logits(stacked),
        mean=scores.mean(axis=0),
        entropy=entropy(scores.mean(axis=0)),
        sd=scores.std(axis=0, ddof=1) if several else None,
        information=mutual_information(scores) if several else None,
    )


def mean_logits(logits: np.ndarray) -> np.ndarray:
    """Log-odds of the mean score of members, (tile,); finite where scores round to 0 or 1.

    Args:
        logits: (N, tile) float64.
    """
    above, below = (logsumexp(log_expit(signed), axis=0) for signed in (logits, -logits))
    return above - below
