"""Thresholds of members: a table of one method, written with its tiles and read for its maps."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wildlens.errors import WildLensError, one_line
from wildlens.files.frames import write_frame

REFERENCE = "corine"  # whose thresholds apply to maps: real land has no other


def write_thresholds(path: Path, found: Sequence[dict[str, float]]) -> None:
    """Write a row for each member and reference, thresholds in full.

    Args:
        found: reference -> threshold, of each member; infinity, where nothing is high, is an empty
            cell.
    """
    rows = [
        {"member": member, "reference": reference, "threshold": _text(threshold)}
        for member, by_reference in enumerate(found, start=1)
        for reference, threshold in by_reference.items()
    ]
    write_frame(path, pd.DataFrame(rows, columns=["member", "reference", "threshold"]))


def read_thresholds(path: Path, members: int) -> list[float]:
    """Threshold of each member, in the method's unit; infinity where nothing is high.

    Raises:
        WildLensError: it is no such table, or of another number of members.
    """
    try:
        table = pd.read_csv(path)
        rows = table[table["reference"] == REFERENCE]
        found = dict(zip(rows["member"].astype(int), rows["threshold"].astype(float), strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise WildLensError(
            f"{path}: has no thresholds of members: {one_line(error)}; make it with wildlens"
            " combine-attributions"
        ) from None
    if sorted(found) != list(range(1, members + 1)):
        raise WildLensError(
            f"{path}: has thresholds of {len(found)} members, not of {members}; make it with the"
            " members whose maps are combined"
        )
    return [math.inf if math.isnan(found[k]) else found[k] for k in range(1, members + 1)]


def _text(threshold: float) -> str:
    return repr(float(threshold)) if math.isfinite(threshold) else ""
