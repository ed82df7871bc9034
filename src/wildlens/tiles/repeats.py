"""Areas shown by several tiles, which count more than once in training and evaluation."""

import logging
from collections.abc import Mapping

import geopandas
import numpy as np
import pandas
import shapely

from wildlens.files.acquisition import acquisition_times

log = logging.getLogger(__name__)

OVERPASS_SECONDS = 600  # a satellite passes from one end of a tile to the other in 15 s
LEAST_SHARE = 0.5  # smallest share of a tile's area that counts as shown again


def repeated_in(footprints: geopandas.GeoSeries, groups: pandas.Series) -> pandas.Series:
    """For each tile, the other groups whose tiles together cover at least half of its area.

    Args:
        footprints: outlines of the N tiles in EPSG:4326.
        groups: (N,) str; tiles of one group (a scene) are adjacent.

    Returns:
        (N,) sorted lists of names of groups, mostly empty.
    """
    outlines, names = footprints.to_numpy(), groups.to_numpy(dtype=object)
    tile, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    elsewhere = names[tile] != names[other]
    tile, other = tile[elsewhere], other[elsewhere]
    # areas in square degrees: within a tile, these are proportional to areas on the ground
    common = shapely.area(shapely.intersection(outlines[tile], outlines[other]))
    shares = pandas.Series(common / shapely.area(outlines)[tile])
    covered = shares.groupby([tile, names[other]]).sum()
    found: list[list[str]] = [[] for _ in range(len(outlines))]
    for index, group in covered[covered >= LEAST_SHARE].index:
        found[index].append(str(group))
    return pandas.Series(found, index=footprints.index)


def report_repeats(
    scenes: pandas.Series, repeats: pandas.Series, sensed: Mapping[str, str]
) -> None:
    """Log which scenes show the same ground; a warning if they are of one overpass.

    Args:
        scenes: scene of each tile; repeats: of each tile, as returned by `repeated_in`.
        sensed: scene -> when its products were sensed; see `same_overpass`.
    """
    pairs = pandas.DataFrame({"scene": scenes, "other": repeats}).explode("other").dropna()
    counts = pairs.value_counts().to_dict()
    for one, two in sorted({tuple(sorted(pair)) for pair in counts}):
        tiles = (
            f"{counts.get((one, two), 0)} tiles of {one} and {counts.get((two, one), 0)} of {two}"
            " show the same ground"
        )
        if same_overpass(sensed[one], sensed[two]):
            log.warning(
                "tiles: WARNING: %s in one overpass (%s), so it counts twice: leave one of the"
                " products out of `inputs`, or cut it with `clip`", tiles, sensed[one],
            )  # fmt: skip
        else:
            times = [sensed[name] or "at an unknown time" for name in (one, two)]
            log.info("tiles: %s, sensed %s and %s", tiles, *times)


def same_overpass(one: str, two: str) -> bool:
    """Whether two scenes were sensed within minutes of each other.

    Args:
        one, two: times in ISO 8601; of scenes of several products joined by ' + '. Empty if
            unknown, which is no overpass.
    """
    first, second = acquisition_times(one), acquisition_times(two)
    gaps = [abs((a - b).total_seconds()) for a in first for b in second]
    return min(gaps, default=np.inf) < OVERPASS_SECONDS
