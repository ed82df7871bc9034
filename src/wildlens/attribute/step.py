"""Attribution of the validation and test tiles of the explained class, for the evaluation."""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from wildlens import provenance
from wildlens.attribution import signs
from wildlens.attribution.contributions import AUDIT, relative_gap
from wildlens.attribution.create import create, describe, precision
from wildlens.attribution.inputs import Inputs
from wildlens.attribution.method import Additive, Method
from wildlens.attribution.models import Models
from wildlens.errors import WildLensError
from wildlens.files.atomic import atomic
from wildlens.files.bands import NO_UNIT
from wildlens.files.earlier import check_replaceable
from wildlens.files.origin import TAG
from wildlens.networks.device import choose_device, in_precision
from wildlens.networks.images import to_images
from wildlens.progress import track
from wildlens.registry import methods
from wildlens.settings import Attribution, fields_read
from wildlens.tiles.georeference import LOCATION
from wildlens.tiles.store import GRID_MAPPING, consolidate, is_attributions

log = logging.getLogger(__name__)

SPLITS = ("val", "test")
DIMENSIONS = ("tile", "y", "x")
CHUNK, SHARD = 16, 1024  # tiles that are compressed together, and those of a file
COORDINATES = ("name", "split", "block", "label", "scene", "row", "col", *LOCATION)


def attribute_tiles(
    tiles: Path,
    method: str,
    classifier: Path,
    generators: Path | None,
    output: Path,
    settings: Attribution,
    device: str = "auto",
    splits: Sequence[str] = SPLITS,
) -> None:
    """Attribute up to `max_tiles` tiles of each split; the same tiles for every method.

    Tiles are of the class that the classifier's logit explains, by default protected.

    Writes a zarr with `attribution` (tile, y, x) float32, NaN where the image is missing, the
    coordinates of the tiles, and the method's unit, sign and baseline as attributes. Methods whose
    contributions should sum to a difference of logits add `contribution_sum` (tile) and
    `logit_difference` (tile), float64.
    """
    check_replaceable(output, is_attributions)
    models = Models(classifier, generators, choose_device(device), tiles)
    attribute = create(method, models, settings)
    with models.open_tiles() as dataset:
        of_target = dataset["label"].values == models.classifier.target_label
        of_split = dataset["split"].values.astype(str)
        chosen = choose_tiles(of_target, of_split, models.classifier.target, settings)
        chosen = chosen[np.isin(of_split[chosen], splits)]
        dataset = dataset.isel(tile=chosen)
        results = []
        batches = np.array_split(chosen, -(-len(chosen) // settings.batch_size))
        starts = np.cumsum([0, *map(len, batches)])
        spans = list(itertools.pairwise(starts))
        for first, last in track(spans, f"attribute: {method}", unit="batches"):
            batch = dataset.isel(tile=slice(first, last))
            with in_precision(precision(method, settings), models.device):
                results.append(_attribute_batch(attribute, batch, models))
        attributes = describe(method, settings) | provenance.record(
            "attribute", settings, models.paths, fields_read(method, "attribute")
        )
        if methods.find(method).uses_network:
            attributes |= {TAG: models.origin}
        result = xr.Dataset(
            {
                name: (DIMENSIONS[: results[0][name].ndim], np.concatenate(parts))
                for name in results[0]
                for parts in [[batch[name] for batch in results]]
            },
            coords={name: _stored(dataset[name]) for name in COORDINATES if name in dataset.coords},
            attrs=attributes,
        )
    _describe(result, method)
    with atomic(output, is_attributions) as temporary:
        layout = {"attribution": _layout(result["attribution"].shape)}
        result.to_zarr(temporary, mode="w", consolidated=False, zarr_format=3, encoding=layout)
        consolidate(temporary)
    log.info("attribute: %s of %d tiles -> %s", method, len(chosen), output)
    if all(name in result for name in AUDIT):
        gap = relative_gap(result["contribution_sum"].values, result["logit_difference"].values)
        log.info("attribute: completeness gap of the contributions: %.2g %%", 100 * gap)


def _layout(shape: tuple[int, int, int]) -> dict[str, tuple[int, int, int]]:
    """Chunks of a few whole tiles, since the evaluation reads them one after the other."""
    return {"chunks": (CHUNK, *shape[1:]), "shards": (SHARD, *shape[1:])}


def _attribute_batch(attribute: Method, tiles: xr.Dataset, models: Models) -> dict[str, np.ndarray]:
    """Variables of the result for a batch of tiles; three for additive methods, else one."""
    stored = tiles["reflectance"].values
    images, valid = to_images(stored, models.classifier.standardise.mean.cpu())
    images, audit = images.to(models.device), {}
    if isinstance(attribute, Additive):
        # computed once, for the completeness gap and, by the sign rule, for the map
        contributions = attribute.contributions(images)
        values = signs.apply(attribute.sign_rule, contributions)
        audit = {
            "contribution_sum": contributions.sum(dim=(1, 2)),
            "logit_difference": attribute.difference(images),
        }
    else:
        ground = np.stack([tiles["ground_row"].values, tiles["ground_col"].values], axis=1)
        landcover = torch.from_numpy(tiles["landcover"].values)
        values = Inputs(images, valid, torch.from_numpy(ground), landcover).attribute(attribute)
    values = np.where(valid.numpy(), values.float().cpu().numpy(), np.nan).astype(np.float32)
    return {"attribution": values} | {
        name: value.cpu().double().numpy() for name, value in audit.items()
    }


def choose_tiles(
    of_target: np.ndarray, splits: np.ndarray, target: str, settings: Attribution
) -> np.ndarray:
    """Positions of the target's tiles to attribute: a seeded choice, in their own order."""
    generator = np.random.default_rng(settings.seed)
    chosen = []
    for split in SPLITS:
        candidates = np.flatnonzero(of_target & (splits == split))
        if not len(candidates):
            raise WildLensError(
                f"no {target} tile in the {split} split: there is nothing to compare"
            )
        count = min(settings.max_tiles, len(candidates))
        chosen.append(np.sort(generator.choice(candidates, count, replace=False)))
    return np.concatenate(chosen)


def _describe(result: xr.Dataset, method: str) -> None:
    """Name, unit and CRS of the variables, where xarray and rioxarray look for them."""
    record = methods.find(method)
    attributes = {"long_name": record.title}
    if record.unit != NO_UNIT:
        attributes["units"] = record.unit
    if GRID_MAPPING in result.coords:
        attributes["grid_mapping"] = GRID_MAPPING
    result["attribution"].attrs = attributes
    for name in filter(result.data_vars.__contains__, AUDIT):
        result[name].attrs = {"units": record.unit}


def _stored(coordinate: xr.DataArray) -> xr.Variable:
    """A coordinate to write; text as objects, since Zarr has no settled type for fixed widths."""
    values = coordinate.values
    text = values.dtype.kind == "U"
    return xr.Variable(coordinate.dims, values.astype(object) if text else values, coordinate.attrs)
