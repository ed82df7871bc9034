"""The map of several members: their mean, standard deviation and agreement, window by window."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from wildlens.combine.entropy import entropy, mutual_information
from wildlens.combine.provenance_tags import combined_tags
from wildlens.combine.statistics import agreement, mean_and_sd, mean_image
from wildlens.combine.threshold_table import read_thresholds
from wildlens.errors import WildLensError
from wildlens.files.atomic import remove
from wildlens.files.cog import writing_cog
from wildlens.files.member_bands import AGREEMENT, BIT, ENTROPY, INFORMATION, SD, SHARE
from wildlens.files.raster import gdal, grid_of, open_raster, read
from wildlens.map.strips import folder_of
from wildlens.registry import methods
from wildlens.registry.record import Form

log = logging.getLogger(__name__)

CACHE = 128 * 2**20  # bytes of GDAL's cache


def combine_maps(maps: Sequence[Path], output: Path, thresholds: Path | None = None) -> str:
    """Combine the members' maps of a scene by one method into a COG.

    Of an attribution or a score, float32, NaN = no data: the mean of the first band, under its own
    name; `member_sd`, the standard deviation, in the same unit; with thresholds `member_agreement`,
    the share of members that call the pixel high; of a score `entropy`, that of the mean score, and
    `mutual_information` between score and member, bits; and the means of the members' further
    bands. Of generated images their mean, in their form. A pixel that a member lacks is no data.
    Strips that interrupted jobs left of the map are removed.

    Args:
        maps: of two members or more, as `wildlens map` writes them, in the members' order.
        thresholds: table of `wildlens combine-attributions`; None: without agreement.

    Returns:
        The method that the maps state; empty if they state none.

    Raises:
        WildLensError: the maps differ in more than their models, or in their grid or bands.
    """
    limits = None if thresholds is None else read_thresholds(thresholds, len(maps))
    with ExitStack() as stack:
        stack.enter_context(gdal(CACHE))
        datasets = [stack.enter_context(open_raster(path)) for path in maps]
        first = datasets[0]
        tags = combined_tags([str(path) for path in maps], [dataset.tags() for dataset in datasets])
        _check_form(maps, datasets)
        form = methods.form_of(tags, maps[0].stem, first.dtypes[0])
        names, units = _bands(first, form, limits)
        target = stack.enter_context(
            writing_cog(
                output,
                grid_of(first),
                dtype=first.dtypes[0],
                nodata=first.nodata,
                descriptions=names,
                scale=first.scales[0],
                tags=tags,
            )
        )
        target.units = units
        for window, members in _windows(datasets, target):
            values = mean_image(members) if form == "image" else _combined(members, form, limits)
            target.write(values, window=window)
    remove(folder_of(output))
    log.info("combine-maps: %d members, bands %s -> %s", len(maps), ", ".join(names), output)
    return tags.get("wildlens_method", "")


def _bands(
    first: rasterio.DatasetReader, form: Form, limits: Sequence[float] | None
) -> tuple[tuple[str, ...], list[str]]:
    """Names and units of the bands of the result."""
    names, units = tuple(first.descriptions), [unit or "" for unit in first.units]
    if form == "image":
        return names, units
    added, of_added = (SD,), units[:1]
    if limits is not None:
        added, of_added = (*added, AGREEMENT), [*of_added, SHARE]
    if form == "score":
        added, of_added = (*added, ENTROPY, INFORMATION), [*of_added, BIT, BIT]
    return (names[0], *added, *names[1:]), [units[0], *of_added, *units[1:]]


def _windows(
    datasets: Sequence[rasterio.DatasetReader], target: rasterio.io.DatasetWriter
) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the target's blocks, and the members' values in each, (N, B, h, w)."""
    for _, window in target.block_windows(1):
        yield window, np.stack([read(dataset, window=window) for dataset in datasets])


def _combined(members: np.ndarray, form: Form, limits: Sequence[float] | None) -> np.ndarray:
    """Bands of the result, (B', h, w) float32, of the members' (N, B, h, w)."""
    values = members[:, 0]
    bands = [*mean_and_sd(values)]
    if limits is not None:
        bands.append(agreement(values, limits))
    if form == "score":
        whole = entropy(values.mean(axis=0, dtype=np.float64))
        bands += [whole.astype(np.float32), mutual_information(values).astype(np.float32)]
    further = members[:, 1:].mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.stack([*bands, *further])


def _check_form(paths: Sequence[Path], datasets: Sequence[rasterio.DatasetReader]) -> None:
    forms = [(grid_of(d), d.descriptions, d.dtypes, d.units, d.scales) for d in datasets]
    for path, form in zip(paths, forms, strict=True):
        if form != forms[0]:
            raise WildLensError(
                f"{path}: has another grid, or other bands, than {paths[0]}: make it again with the"
                " same scene"
            )
