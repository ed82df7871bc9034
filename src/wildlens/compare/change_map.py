"""The map of a change, after minus before, written window by window."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from wildlens.area_statistics.coverage import windows
from wildlens.compare.cells import Cells
from wildlens.compare.pairs import Pair
from wildlens.files.acquisition import TIME
from wildlens.files.cog import writing_cog
from wildlens.files.map_tags import AFTER, BEFORE, CHANGE_OF, tags_of
from wildlens.files.origin import TAG, WARNING_TAG
from wildlens.files.raster import open_raster, read

BAND = "change"
SIGN = "positive where the second date is higher, negative where it is lower"


def write_change(pair: Pair, method: str, output: Path, tags: dict[str, str]) -> Cells:
    """Write the change of a method's map as a COG on the common grid.

    float32 in the unit of the map; NaN where either date has no value.

    Args:
        tags: provenance; what the maps themselves state is added.

    Returns:
        Sums of the change.
    """
    unit = "".join(tags_of(pair.maps[method][:1], "unit"))
    cells = Cells(pair.common.grid.shape)
    with writing_cog(
        output, pair.common.grid, tags=tags | _tags(pair, method, unit), descriptions=(BAND,),
        unit=unit,
    ) as target:  # fmt: skip
        for window, change in _changes(pair, method):
            target.write(change, 1, window=window)
            cells.add(change, window)
    return cells


def sum_change(pair: Pair, method: str) -> Cells:
    """Sums of the change of a method's map, which is not written."""
    cells = Cells(pair.common.grid.shape)
    for window, change in _changes(pair, method):
        cells.add(change, window)
    return cells


def _changes(pair: Pair, method: str) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the common grid, and the change in each, (h, w) float32."""
    with ExitStack() as stack:
        datasets = [stack.enter_context(open_raster(path)) for path in pair.maps[method]]
        for window in windows(pair.common.grid):
            before, after = (
                read(dataset, 1, window=of_scene)
                for dataset, of_scene in zip(datasets, pair.common.windows(window), strict=True)
            )
            yield window, (after - before).astype(np.float32)


def _tags(pair: Pair, method: str, unit: str) -> dict[str, str]:
    """What the map of a change states: dates, method, unit, and what its maps state."""
    before, after = pair.names
    tags = {BEFORE: before, AFTER: after, CHANGE_OF: method, "unit": unit, "sign": SIGN}
    for key, path in zip((BEFORE, AFTER), pair.maps[method], strict=True):
        if times := tags_of([path], TIME):
            tags[f"{key}_time"] = times[0]
    for key in (TAG, WARNING_TAG):
        if found := tags_of(pair.maps[method], key):
            tags[key] = "; ".join(found)
    return tags
