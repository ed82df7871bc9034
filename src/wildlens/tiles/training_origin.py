"""The origin of a training set, which its models state: what its training split was cut from."""

from collections.abc import Mapping

import geopandas

from wildlens.areas.antimeridian import bounding_box
from wildlens.files.acquisition import acquisition_times
from wildlens.files.origin import Origin


def training_origin(
    tiles: geopandas.GeoDataFrame,
    sensed: Mapping[str, str] | None = None,
    simulated: bool = False,
    dataset: str = "",
) -> Origin:
    """Number, scenes, days and box of the tiles of the training split.

    Args:
        tiles: with `split`, `scene` and outlines in EPSG:4326; some are of the training split.
        sensed: scene -> when its products were sensed; None if it is not known. The days are
            unknown if one of the scenes does not state its own.
        simulated: whether a scene is simulated; dataset: name of a published one, whose groups of
            tiles are not scenes.
    """
    train = tiles[tiles["split"] == "train"]
    scenes = train["scene"].unique()
    times = [acquisition_times(sensed[name]) if sensed else [] for name in scenes]
    days = sorted(time.date() for found in times for time in found) if all(times) else []
    return Origin(
        tiles=len(train),
        scenes=0 if dataset else len(scenes),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        bounds=[round(value, 4) for value in bounding_box(train.geometry)],
        simulated=simulated,
        dataset=dataset,
    )
