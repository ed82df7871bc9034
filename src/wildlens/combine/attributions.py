"""Attributions of tiles of several members: their mean, standard deviation and agreement."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from wildlens.combine.provenance_tags import combined_tags
from wildlens.combine.statistics import agreement, mean_and_sd
from wildlens.combine.threshold_table import REFERENCE, write_thresholds
from wildlens.combine.thresholds import member_thresholds
from wildlens.errors import WildLensError
from wildlens.evaluate.samples import open_attributions
from wildlens.files.atomic import atomic
from wildlens.files.earlier import check_replaceable
from wildlens.files.member_bands import AGREEMENT, SD, SHARE
from wildlens.settings import Evaluation
from wildlens.tiles.store import consolidate, is_attributions

log = logging.getLogger(__name__)

VALUES = "attribution"  # variable of a store


def combine_attributions(
    stores: Sequence[Path], tiles: Path, output: Path, thresholds: Path, settings: Evaluation
) -> None:
    """Combine the members' attributions by one method into one store, in their form.

    `attribution` is their mean; `member_sd` their standard deviation and `member_agreement` the
    share of members that call a pixel high, (tile, y, x) float32 each, NaN where a member has no
    value. Sums of contributions and differences of logits are means, too.

    Args:
        stores: of two members or more, as `wildlens attribute` writes them, in the members' order.
        tiles: the training set, for the members' thresholds.
        thresholds: CSV of each member's threshold on its validation tiles, which is written.
        settings: the target group of the thresholds.

    Raises:
        WildLensError: the stores differ in more than their models or hold other tiles, or `output`
            holds something other than attributions.
    """
    check_replaceable(output, is_attributions)
    members = [next(iter(open_attributions([path]).values())) for path in stores]
    tags = combined_tags([str(path) for path in stores], [member.attrs for member in members])
    _check_tiles(stores, members)
    found = [member_thresholds(member, tiles, settings) for member in members]
    limits = [by_reference.get(REFERENCE, np.inf) for by_reference in found]
    with atomic(output, is_attributions) as temporary:
        # coordinates, layout and attributes are those of the members
        shutil.copytree(stores[0], temporary)
        group = zarr.open_group(temporary, mode="r+", zarr_format=3)
        group.attrs.update(tags)
        _write_values(group, members, limits)
        for name in (name for name, values in members[0].items() if values.dims == ("tile",)):
            sums = np.stack([member[name].values for member in members])
            group[name][:] = sums.mean(axis=0, dtype=np.float64)
        consolidate(temporary)
    write_thresholds(thresholds, found)
    log.info(
        "combine-attributions: %d members, thresholds %s -> %s",
        len(members), ", ".join(f"{limit:.4g}" for limit in limits), output,
    )  # fmt: skip


def _write_values(
    group: zarr.Group, members: Sequence[xr.Dataset], limits: Sequence[float]
) -> None:
    """Fill the three variables shard by shard, as a part of a shard cannot be written alone."""
    source = group[VALUES]
    parts = {VALUES: source, SD: _like(group, SD), AGREEMENT: _like(group, AGREEMENT, SHARE)}
    step, within = (source.shards or source.chunks)[0], source.chunks[0]
    for start in range(0, source.shape[0], step):
        stop = min(start + step, source.shape[0])
        buffers = {name: np.empty((stop - start, *source.shape[1:]), np.float32) for name in parts}
        for first in range(start, stop, within):
            rows = slice(first, min(first + within, stop))
            values = np.stack([member[VALUES].isel(tile=rows).values for member in members])
            here = slice(rows.start - start, rows.stop - start)
            buffers[VALUES][here], buffers[SD][here] = mean_and_sd(values)
            buffers[AGREEMENT][here] = agreement(values, limits)
        for name, array in parts.items():
            array[start:stop] = buffers[name]


def _like(group: zarr.Group, name: str, unit: str = "") -> zarr.Array:
    """A new variable of the form of the attributions."""
    source = group[VALUES]
    made = group.create_array(
        name,
        shape=source.shape,
        chunks=source.chunks,
        shards=source.shards,
        dtype="float32",
        fill_value=np.nan,
        dimension_names=source.metadata.dimension_names,
        compressors=source.compressors,
    )
    title = name.replace("_", " ")
    attributes = dict(source.attrs) | {"long_name": f"{source.attrs.get('long_name', '')}, {title}"}
    made.attrs.update(attributes | ({"units": unit} if unit else {}))
    return made


def _check_tiles(paths: Sequence[Path], members: Sequence[xr.Dataset]) -> None:
    first = members[0]
    for path, member in zip(paths, members, strict=True):
        same = member[VALUES].shape == first[VALUES].shape
        if not same or not np.array_equal(member["name"].values, first["name"].values):
            raise WildLensError(
                f"{path}: holds other tiles than {paths[0]}; attribute the same tiles with every"
                " member"
            )
