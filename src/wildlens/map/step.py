"""Maps of whole scenes: streamed by strips, written as georeferenced rasters.

Memory depends on the window and on the scene's width, not on its height. All valid pixels and no
others get a value. The network sees the band means in place of a missing pixel, which affects its
neighbours within the method's reach only. An interrupted map resumes where it stopped. A scene can
be mapped in parts, which `join` combines into the same map.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens import provenance
from wildlens.attribution.create import create, describe, precision
from wildlens.attribution.method import Method
from wildlens.attribution.models import Models
from wildlens.errors import WildLensError
from wildlens.files.acquisition import time_tag
from wildlens.files.atomic import remove
from wildlens.files.cog import writing_cog
from wildlens.files.origin import TAG, WARNING_TAG
from wildlens.files.raster import (
    gdal,
    grid_of,
    open_raster,
    read,
    row_windows,
    writing_geotiff,
)
from wildlens.files.reflectance import SCALE, UNIT, to_stored
from wildlens.map.streaming import Source, Tiles, Windows
from wildlens.map.strips import folder_of, keeping
from wildlens.map.unfamiliar import warning_about_scene
from wildlens.networks.device import choose_device, in_precision
from wildlens.registry import methods
from wildlens.registry.record import MethodRecord
from wildlens.settings import Attribution, fields_read
from wildlens.warnings import log_warnings

log = logging.getLogger(__name__)

CACHE = 128 * 2**20  # bytes; GDAL's own default is a share of the machine's memory
PART = "wildlens_part"  # tag of a part: all other tags are those of the whole map


def map_scene(
    scene: Path,
    method: str,
    classifier: Path,
    generators: Path | None,
    output: Path,
    settings: Attribution,
    device: str = "auto",
    tiles: Path | None = None,
    part: str | None = None,
    strips: Path | None = None,
) -> None:
    """Map a scene with a method; write a COG on the scene's grid.

    An attribution or a score is float32, NaN = no data; for methods that see a whole tile, a second
    band is the disagreement of overlapping tiles. A generated image is stored like a scene: uint16
    reflectance x 10000, 0 = no data.

    Args:
        tiles: the training set, for the methods that use it.
        part: "2-of-4" maps the second of four ranges of rows, as a GeoTIFF of these rows.
        strips: folder of finished strips, for an interrupted map to resume; default: beside the
            output. That of a part or a member is within that of the whole map (`strips`).
    """
    record = methods.find(method)
    if not record.maps_scenes:
        raise WildLensError(f"method '{method}' cannot map scenes: it takes land cover, of tiles")
    models = Models(classifier, generators, choose_device(device), tiles)
    with ExitStack() as stack:
        stack.enter_context(gdal(CACHE))
        dataset = stack.enter_context(open_raster(scene))
        attribute = create(method, models, settings)
        stack.enter_context(in_precision(precision(method, settings), models.device))
        source = Source(dataset, models)
        plan = _plan(source, attribute, record, settings)
        numbers = _share(len(plan.strips), part, scene)
        rows = plan.strips[numbers[0]][0], plan.strips[numbers[-1]][1]
        form = _form(record, plan, models.classifier.bands)
        tags = describe(method, settings) | {"wildlens_scene": scene.stem}
        tags |= time_tag(dataset.tags())
        if record.uses_network:
            tags |= _origin_tags(source, models, scene.stem)
        tags |= provenance.record(
            "map", settings, [scene, *models.paths], fields_read(method, "map")
        )
        identity = _identity(tags, record, rows)
        kept = stack.enter_context(keeping(strips or folder_of(output), identity))
        done = kept.count(numbers)
        if done:
            log.info("map: resuming after %d of %d strips of rows", done, len(numbers))
        for number, values in zip(
            numbers[done:], plan.run(numbers[0] + done, numbers[-1] + 1), strict=True
        ):
            kept.save(number, to_stored(values) if form["dtype"] == "uint16" else values)
            del values  # not kept while the next strip is made
        grid = grid_of(dataset)
        if part is None:
            target = stack.enter_context(writing_cog(output, grid, tags=tags, **form))
        else:
            tags |= {PART: part}
            here, count = grid[rows[0] : rows[1]], len(form["descriptions"])
            target = stack.enter_context(
                writing_geotiff(output, here, tags=tags, count=count, **form)
            )
        valid = 0
        for number in numbers:
            values, (top, bottom) = kept.load(number), plan.strips[number]
            window = Window(0, top - rows[0], grid.shape[1], bottom - top)
            target.write(values, window=window)
            valid += int(np.count_nonzero(np.isfinite(values[0]) & (values[0] != form["nodata"])))
    if not valid:
        log.warning("map: WARNING: %s has no valid pixel: the map is empty", scene)
    log.info("map: %s of %s: %d valid pixels -> %s", method, scene.stem, valid, output)


def join(parts: Sequence[Path], output: Path) -> None:
    """Join the parts of a scene's map, in any order, into the COG that one job would write.

    Removes strips that interrupted jobs left of the map.

    Raises:
        WildLensError: parts are missing, or differ in settings, models or scene.
    """
    with ExitStack() as stack:
        stack.enter_context(gdal(CACHE))
        datasets = [stack.enter_context(open_raster(path)) for path in parts]
        datasets.sort(key=lambda dataset: -dataset.transform.f)
        first = datasets[0]
        tags = _common_tags(datasets)
        grid = _joined_grid(datasets)
        target = stack.enter_context(
            writing_cog(
                output,
                grid,
                dtype=first.dtypes[0],
                nodata=first.nodata,
                descriptions=first.descriptions,
                unit=first.units[0] or "",
                scale=first.scales[0],
                tags=tags,
            )
        )
        top = 0
        for dataset in datasets:
            for window in row_windows(grid_of(dataset)):
                place = Window(0, top + window.row_off, window.width, window.height)
                target.write(read(dataset, window=window), window=place)
            top += dataset.height
    remove(folder_of(output))
    log.info("join: %d parts, %d rows -> %s", len(datasets), top, output)


def _plan(
    source: Source, method: Method, record: MethodRecord, settings: Attribution
) -> Windows | Tiles:
    if method.halo is None:
        return Tiles(source, method, source.tile_size, settings)
    return Windows(source, method, settings, len(source.indices) if record.form == "image" else 1)


def _origin_tags(source: Source, models: Models, scene: str) -> dict[str, str]:
    """What the models were trained on; with a warning, also logged, if the scene is unlike it."""
    origin, network = models.origin, models.classifier
    mean, sd = (
        values.cpu().double().numpy().ravel()
        for values in (network.standardise.mean, network.standardise.sd)
    )
    warning = warning_about_scene(source.dataset, source.indices, network.bands, mean, sd, scene)
    if not warning:
        return {TAG: origin}
    log_warnings("map", [warning])
    return {TAG: origin, WARNING_TAG: warning}


def _form(record: MethodRecord, plan: Windows | Tiles, bands: Sequence[str]) -> dict:
    """Data type, nodata value, and names, unit and scale of the bands of the result."""
    if record.form == "image":
        form = {"dtype": "uint16", "nodata": 0, "descriptions": tuple(bands)}
        return form | {"unit": UNIT, "scale": 1 / SCALE}
    layers = (record.name, *plan.layers)
    form = {"dtype": "float32", "nodata": float("nan"), "descriptions": layers}
    return form | {"unit": record.unit}


def _share(count: int, part: str | None, scene: Path) -> range:
    """Numbers of the strips of a part: as even as whole strips allow."""
    if part is None:
        return range(count)
    found = re.fullmatch(r"([1-9]\d{0,5})-of-([1-9]\d{0,5})", part)
    number, parts = map(int, found.groups()) if found else (1, 0)
    if number > parts:
        raise WildLensError(f"--part {part}: expected a part such as 2-of-4")
    if parts > count:
        raise WildLensError(
            f"{scene}: cannot be cut into {parts} parts, it has {count} strips of rows: "
            f"set attribution.parts to {count} or less"
        )
    return range(count * (number - 1) // parts, count * number // parts)


def _identity(tags: Mapping[str, str], record: MethodRecord, rows: tuple[int, int]) -> str:
    """Fingerprint of everything that the strips of a map depend on."""
    code = [provenance.code_digest(module) for module in ("wildlens.map.step", record.module)]
    return json.dumps({**tags, "code": code, "rows": rows}, indent=1)


def _common_tags(datasets: Sequence[rasterio.DatasetReader]) -> dict[str, str]:
    """The tags that all parts share, which is all but their own number."""
    tags = [{k: v for k, v in dataset.tags().items() if k != PART} for dataset in datasets]
    kinds = [(d.count, d.dtypes, d.descriptions, d.units, d.scales, d.width) for d in datasets]
    for dataset, own, kind in zip(datasets, tags, kinds, strict=True):
        if PART not in dataset.tags():
            raise WildLensError(f"{dataset.name}: is no part of a map (made with map --part)")
        if own != tags[0] or kind != kinds[0]:
            raise WildLensError(
                f"{dataset.name}: is part of another map than {datasets[0].name}: "
                "the method, a setting, a model or the scene differs"
            )
    return tags[0]


def _joined_grid(datasets: Sequence[rasterio.DatasetReader]) -> GeoBox:
    """The grid of all parts, sorted from north to south; they must be complete and touch."""
    numbers = sorted(dataset.tags()[PART] for dataset in datasets)
    expected = sorted(f"{k}-of-{len(datasets)}" for k in range(1, len(datasets) + 1))
    if numbers != expected:
        raise WildLensError(
            f"{datasets[0].name}: the parts given are {', '.join(numbers)}, not all"
        )
    grids = [grid_of(dataset) for dataset in datasets]
    for dataset, (above, below) in zip(datasets[1:], pairwise(grids), strict=True):
        upper, lower = above.boundingbox, below.boundingbox
        touch = (upper.left, upper.bottom) == (lower.left, lower.top)
        if above.crs != below.crs or not touch:
            raise WildLensError(f"{dataset.name}: does not lie right below the part before it")
    height = sum(grid.shape[0] for grid in grids)
    return GeoBox((height, grids[0].shape[1]), grids[0].affine, grids[0].crs)
