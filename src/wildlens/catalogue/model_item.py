"""STAC item of a model, with the machine-learning-model extension (MLM 1.4)."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path

import pyogrio
import pystac
import safetensors
import shapely
import yaml

from wildlens.areas.antimeridian import Bounds, bounding_box, box_polygon
from wildlens.catalogue.raster_item import FILE, Place, file_fields, origin
from wildlens.errors import WildLensError, one_line
from wildlens.files import vector
from wildlens.files.origin import TAG, in_words, read_origin
from wildlens.files.reflectance import SCALE

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
ARCHITECTURES = {
    "unet": "U-Net and convolutions over its maps",
    "local": "Convolutions with a small field of view",
    "generator": "ResNet generators (CycleGAN)",
}
CLASSES = [
    {"value": 0, "name": "anthropogenic", "title": "Anthropogenic"},
    {"value": 1, "name": "natural", "title": "Protected nature"},
]
DIMENSIONS = ["batch", "bands", "height", "width"]


def model_item(
    path: Path, footprints: Path | None, places: Mapping[str, Place], root: Path
) -> pystac.Item:
    """The item of a model: input, output, and the area and time of its training data.

    Args:
        path: safetensors file; its metadata tell area and time.
        footprints: GeoPackage of the tiles, for a model that does not state its area and time;
            without, all scenes count.
        places: scene -> location and time; root: folder of the catalogue, absolute.
    """
    metadata, parameters, size = _read(path)
    kind, bands = metadata["kind"], json.loads(metadata["bands"])
    bounds, start, end = _training_extent(metadata, footprints, places)
    properties = {
        "mlm:name": f"wildlens {path.stem}",
        "mlm:architecture": ARCHITECTURES.get(kind, kind),
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": parameters,
        "mlm:memory_size": size,
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        **_interface(kind, bands, int(metadata["tile_size"]), _classes(metadata)),
        "mlm:hyperparameters": json.loads(metadata["arguments"]) | _settings(metadata),
    }
    item = pystac.Item(
        path.stem,
        shapely.geometry.mapping(shapely.orient_polygons(box_polygon(bounds))),
        list(bounds),
        None,
        properties,
        start,
        end,
        [MLM, CLASSIFICATION, FILE],
    )
    fields = {
        "mlm:artifact_type": "safetensors",
        "bands": [{"name": band} for band in bands],
        **origin(metadata | {TAG: in_words(metadata)}),
        **file_fields(path),
    }
    item.add_asset(
        "model",
        pystac.Asset(
            str(path.resolve()),
            f"Weights of the {path.stem}",
            "To map scenes with: wildlens map",
            "application/vnd.safetensors",
            ["mlm:model", "mlm:weights", "data"],
            fields,
        ),
    )
    return item


def _read(path: Path) -> tuple[dict[str, str], int, int]:
    """Metadata, number of values, and their bytes; without torch."""
    width = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4}
    try:
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            slices = [file.get_slice(name) for name in names]
            counts = [math.prod(part.get_shape()) for part in slices]
            types = [part.get_dtype() for part in slices]
    except (safetensors.SafetensorError, OSError) as error:
        raise WildLensError(f"{path}: is no model file (safetensors): {error}") from None
    lacking = {"kind", "arguments", "bands", "tile_size"} - metadata.keys()
    if lacking:
        raise WildLensError(f"{path}: is no wildlens model: lacks {', '.join(sorted(lacking))}")
    size = sum(count * width.get(kind, 4) for count, kind in zip(counts, types, strict=True))
    return metadata, sum(counts), size


def _classes(metadata: Mapping[str, str]) -> list[dict]:
    """Classes of the logit; with several classes, the explained one and the rest."""
    names, target = json.loads(metadata.get("classes", "[]")), metadata.get("target")
    if target not in names:
        return CLASSES
    rest = ", ".join(name for name in names if name != target)
    slug = re.sub(r"[^0-9A-Za-z]+", "-", target).strip("-") or "target"
    return [
        {"value": 0, "name": "rest", "title": rest},
        {"value": 1, "name": slug, "title": target},
    ]


def _interface(kind: str, bands: list[str], side: int, classes: list[dict]) -> dict:
    """Tasks, input and output of a kind of network."""
    shape = [-1, len(bands), side, side]
    taken = {
        "name": "reflectance",
        "description": "Reflectance in 0..1; the file holds the mean and sd of each band.",
        "bands": bands,
        "input": {"shape": shape, "dim_order": DIMENSIONS, "data_type": "float32"},
        "value_scaling": [{"type": "scale", "value": SCALE}],
    }
    if kind != "generator":
        task = "scene-classification"
        given = [{
            "name": "logit",
            "description": f"Its sigmoid is the score: 1 is {classes[1]['title'].lower()}.",
            "tasks": [task],
            "result": {"shape": [-1], "dim_order": ["batch"], "data_type": "float32"},
            "classification:classes": classes,
            "post_processing_function": {"format": "python", "expression": "torch:sigmoid"},
        }]  # fmt: skip
        return {"mlm:tasks": [task], "mlm:input": [taken], "mlm:output": given}
    given = [
        {
            "name": name,
            "description": description,
            "tasks": ["generative"],
            "result": {"shape": shape, "dim_order": DIMENSIONS, "data_type": "float32"},
            "classification:classes": [],
        }
        for name, description in (
            ("maximizer", "X+: reflectance with a higher score"),
            ("minimizer", "X-: reflectance with a lower score"),
        )
    ]
    return {"mlm:tasks": ["generative"], "mlm:input": [taken], "mlm:output": given}


def _settings(metadata: Mapping[str, str]) -> dict:
    """The settings that the model was trained with."""
    settings = yaml.safe_load(metadata.get("wildlens_settings", "") or "{}")
    return settings if isinstance(settings, dict) else {}


def _training_extent(
    metadata: Mapping[str, str], footprints: Path | None, places: Mapping[str, Place]
) -> tuple[Bounds, datetime, datetime]:
    """Box (degrees), start and end of the training data, as the model states them, if it does."""
    stated = read_origin(metadata)
    if stated and stated.bounds and stated.first and stated.last:
        start, end = (
            datetime.combine(day, hour, UTC)
            for day, hour in ((stated.first, time.min), (stated.last, time(23, 59, 59)))
        )
        return stated.bounds, start, end
    bounds, names = _learnt_from(footprints, places)
    known = [places[name] for name in names if name in places] or list(places.values())
    return bounds, min(place.start for place in known), max(place.end for place in known)


def _learnt_from(footprints: Path | None, places: Mapping[str, Place]) -> tuple[Bounds, list[str]]:
    """Box (degrees) of the training tiles of a model, and the names of their scenes."""
    if footprints is None:
        return bounding_box(place.outline for place in places.values()), list(places)
    source = vector.gdal_source(footprints)
    try:
        (layer, _), *_ = vector.list_layers(footprints, source)
        frame = vector.read(pyogrio.read_dataframe, footprints, source, layer=layer).to_crs(4326)
    except ValueError as error:  # pyproj's
        reason = one_line(error)
        raise WildLensError(f"{footprints}: cannot be read as tiles: {reason}") from None
    if "split" in frame:
        used = frame[frame["split"] == "train"]
        frame = used if len(used) else frame
    if frame.empty:
        raise WildLensError(f"{footprints}: holds no tiles")
    names = frame["scene"].unique().tolist() if "scene" in frame else list(places)
    return bounding_box(frame.geometry), names
