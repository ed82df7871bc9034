"""Layers of a scene as the page gets them: codes, what they mean, their colours and legend."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from matplotlib.colors import LinearSegmentedColormap, to_rgba_array
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.explore.quantised import LAST, Quantised, packed, quantise
from wildlens.explore.thinning import read_thinned
from wildlens.figures.imagery import GAMMA, TRUE_COLOUR, Stretch, stretch_for
from wildlens.figures.style import reference_title
from wildlens.files.member_bands import AGREEMENT, SD, band_named
from wildlens.files.raster import grid_of, open_raster
from wildlens.files.reflectance import to_reflectance
from wildlens.legend import CORINE
from wildlens.qgis.ramps import Ramp, change_ramp_of, ramp_of
from wildlens.registry import methods

Layer = dict  # see the functions: JSON of a layer


def image_layer(
    path: Path,
    grid: GeoBox,
    step: int,
    name: str,
    stretch: Stretch | None = None,
    corner: tuple[int, int] | None = None,
) -> tuple[Layer, Stretch]:
    """A scene or a generated image in true colour; one grey band without red, green and blue.

    Args:
        grid: that the file must have; name: of the method, or `reflectance`.
        stretch: of the scene, so that X, X+ and X− can be compared; None: its own.
        corner: row and column of the first pixel of `grid` in a file that may be larger; None: the
            file must have the grid.

    Raises:
        WildLensError: the file cannot be read, or has another grid.
    """
    with open_raster(path) as dataset:
        if corner is None:
            _check_grid(path, grid_of(dataset), grid)
        bands = [text or f"band {i}" for i, text in enumerate(dataset.descriptions, start=1)]
        part = corner and Window(corner[1], corner[0], grid.shape[1], grid.shape[0])
        stored = read_thinned(dataset, dataset.indexes, step, Resampling.average, part)
    valid = (stored > 0).all(axis=0)
    reflectance = np.where(valid, to_reflectance(stored), np.float32(np.nan))
    if stretch is None:
        stretch = stretch_for(bands, [reflectance[:, valid]])
    shown = _shown_bands(bands)
    found = quantise(reflectance[shown])
    layer = {
        "id": name,
        "title": f"X ({stretch.name[0].lower()}{stretch.name[1:]})" if name == "reflectance"
        else methods.title(name),
        "kind": "image",
        "unit": "reflectance",
        **_meaning(found),
        "channels": [
            {"label": bands[band], "data": packed(codes)}
            for band, codes in zip(shown, found.codes, strict=True)
        ],
        "brightness": _brightness(found, stretch),
        "legend": f"black {stretch.low:.3f}, white {stretch.high:.3f} reflectance",
    }  # fmt: skip
    return layer, stretch


# what the page says of the bands that a map of several members has beside their mean
OF_MEMBERS = {SD: "sd of members", AGREEMENT: "share of members that call it high"}


def map_layer(path: Path, grid: GeoBox, step: int, name: str) -> Layer:
    """An attribution map or a score in the colours of the QGIS project.

    With several members, their standard deviation and agreement are under `more`, in the form of
    layers without colours.
    """
    with open_raster(path) as dataset:
        _check_grid(path, grid_of(dataset), grid)
        unit = dataset.tags().get("unit", "")
        form = methods.form_of(dataset.tags(), path.stem, dataset.dtypes[0])
        values = read_thinned(dataset, [1], step, Resampling.average)[0]
        of_members = {
            text: read_thinned(dataset, [band], step, Resampling.average)[0]
            for band, text in _member_bands(dataset)
        }
    layer = _value_layer(name, methods.title(name), form, unit, values, ramp_of(path))
    more = [_numbers(text, quantise(band)) for text, band in of_members.items()]
    return layer | ({"more": more} if more else {})


def change_layer(path: Path, grid: GeoBox, step: int, method: str) -> Layer:
    """The map of the change of a method, in the colours of the QGIS project.

    Raises:
        WildLensError: the file cannot be read, or has another grid.
    """
    with open_raster(path) as dataset:
        _check_grid(path, grid_of(dataset), grid)
        unit = dataset.tags().get("unit", "")
        values = read_thinned(dataset, [1], step, Resampling.average)[0]
    title = f"Change of {methods.title(method)}"
    return _value_layer(f"change-{method}", title, "change", unit, values, change_ramp_of(path))


def class_layer(path: Path, grid: GeoBox, step: int) -> Layer:
    """Land cover: the most frequent class of each square, in the official colours.

    Raises:
        WildLensError: the file cannot be read, has another grid, or a value that is no class.
    """
    with open_raster(path) as dataset:
        _check_grid(path, grid_of(dataset), grid)
        classes = read_thinned(dataset, [1], step, Resampling.mode)[0]
    CORINE.check(classes, path)
    table = np.zeros((LAST + 1, 4), np.uint8)
    for index, colour in CORINE.colormap.items():
        table[index] = colour
    return {
        "id": "landcover",
        "title": reference_title("corine"),
        "kind": "classes",
        "unit": "",
        "channels": [{"label": "", "data": packed(classes)}],
        "colours": _text(table),
    }


def _value_layer(
    name: str, title: str, kind: str, unit: str, values: np.ndarray, ramp: Ramp
) -> Layer:
    """Numbers, float32 (y, x), in the colours of a ramp."""
    found = quantise(values)
    return {
        "id": name,
        "title": title,
        "kind": kind,
        "unit": "" if unit in ("none", "score") else unit,
        **_meaning(found),
        "channels": [{"label": "", "data": packed(found.codes)}],
        "colours": _colours(found, ramp),
        "ramp": list(ramp.colours),
        "ends": list(ramp.ends),
    }


def channels_of(path: Path) -> int:
    """Bytes per displayed pixel that the layer of a raster takes."""
    with open_raster(path) as dataset:
        if dataset.dtypes[0] != "uint16":
            return 1 + len(_member_bands(dataset))
        return len(_shown_bands([text or "" for text in dataset.descriptions]))


def _member_bands(dataset: rasterio.DatasetReader) -> list[tuple[int, str]]:
    """Numbers of the bands of members that a map has, and what the page says of them."""
    numbers = [(band_named(dataset, name), text) for name, text in OF_MEMBERS.items()]
    return [(number, text) for number, text in numbers if number is not None]


def _numbers(label: str, found: Quantised) -> Layer:
    """A band whose values are only told."""
    channels = [{"label": label, "data": packed(found.codes)}]
    return {"unit": "", **_meaning(found), "channels": channels}


def _shown_bands(bands: Sequence[str]) -> list[int]:
    """Positions of red, green and blue; of the first band if there are not all of them."""
    if all(band in bands for band in TRUE_COLOUR):
        return [list(bands).index(band) for band in TRUE_COLOUR]
    return [0]


def _check_grid(path: Path, found: GeoBox, grid: GeoBox) -> None:
    if found != grid:
        raise WildLensError(f"{path}: has another grid than its scene; make it again")


def _meaning(found: Quantised) -> dict:
    return {
        "scale": found.scale, "offset": found.offset, "below": found.below, "above": found.above,
    }  # fmt: skip


def _brightness(found: Quantised, stretch: Stretch) -> str:
    """Code -> brightness 0..255 by the stretch of the figures, 256 bytes in base64."""
    values = found.offset + found.scale * np.arange(LAST + 1)
    shown = np.clip((values - stretch.low) / (stretch.high - stretch.low), 0, 1) ** (1 / GAMMA)
    return _text(np.rint(255 * shown).astype(np.uint8))


def _colours(found: Quantised, ramp: Ramp) -> str:
    """Code -> RGBA on a ramp, 256 x 4 bytes in base64; missing is transparent."""
    values = found.offset + found.scale * np.arange(LAST + 1)
    place = np.clip((values - ramp.bottom) / (ramp.top - ramp.bottom), 0, 1)
    colours = LinearSegmentedColormap.from_list("ramp", to_rgba_array(ramp.colours), 1024)
    table = colours(place, bytes=True)
    table[0] = 0
    return _text(table)


def _text(table: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(table, np.uint8).tobytes()).decode()
