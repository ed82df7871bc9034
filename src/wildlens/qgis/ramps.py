"""Colour ramps of maps, with the unit and the meaning of both ends in their legends."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from wildlens.colours import DIVERGING, SEQUENTIAL, limit_of
from wildlens.files.bands import NO_UNIT
from wildlens.files.raster import open_raster, read
from wildlens.registry.methods import form_of, is_signed

SAMPLE = 1000  # pixels per side of the resampled map


@dataclass(frozen=True)
class Ramp:
    """Colours of a map.

    Attributes:
        bottom, top: values of the first and the last colour, in the map's unit; top is greater.
        colours: evenly spaced, as #rrggbb; ends: labels of the lowest and the highest value.
    """

    bottom: float
    top: float
    colours: tuple[str, ...]
    ends: tuple[str, str]


def ramp_of(map_path: Path) -> Ramp:
    """The ramp of an attribution or a score.

    It runs from 0 to the 99th percentile. That of a method with negative values diverges from 0 in
    its middle to the larger of both percentiles (1st and 99th), up and down. A map of the score, or
    one without values, gets 0 to 1.

    Args:
        map_path: float32 GeoTIFF.
    """
    values, tags, dtype = _sample(map_path)
    if form_of(tags, map_path.stem, dtype) == "score":
        return Ramp(0.0, 1.0, SEQUENTIAL, ("0 anthropogenic", "1 natural"))
    unit = _unit(tags)
    if is_signed(tags, map_path.stem) or (values < 0).any():
        limit = limit_of(np.abs(values))
        ends = f"−{limit:.3g}{unit} or less, low", f"{limit:.3g}{unit} or more, high"
        return Ramp(-limit, limit, DIVERGING, ends)
    top = limit_of(values)
    return Ramp(0.0, top, SEQUENTIAL, (f"0{unit}, low", f"{top:.3g}{unit} or more, high"))


def change_ramp_of(path: Path) -> Ramp:
    """The ramp of the map of a change: it diverges from 0 to the 99th percentile of its size."""
    values, tags, _ = _sample(path)
    limit, unit = limit_of(np.abs(values)), _unit(tags)
    ends = f"−{limit:.3g}{unit} or less, lower", f"{limit:.3g}{unit} or more, higher"
    return Ramp(-limit, limit, DIVERGING, ends)


def change_renderer(path: Path, title: str = "") -> ElementTree.Element:
    """Renderer of the map of a change: a colour ramp (`change_ramp_of`), no data transparent.

    Args:
        path: float32 GeoTIFF; title: heads the legend.
    """
    return _renderer(change_ramp_of(path), f"{title}: " if title else "")


def attribution_renderer(map_path: Path, title: str = "") -> ElementTree.Element:
    """Renderer of an attribution or a score: a colour ramp (`ramp_of`), no data transparent.

    Args:
        map_path: float32 GeoTIFF; title: heads the legend.
    """
    return _renderer(ramp_of(map_path), f"{title}: " if title else "")


def _sample(path: Path) -> tuple[np.ndarray, dict[str, str], str]:
    """Finite values (n,) of a map's first band, resampled, its tags and its data type."""
    with open_raster(path) as dataset:
        factor = max(1.0, max(dataset.shape) / SAMPLE)
        shape = tuple(max(1, round(side / factor)) for side in dataset.shape)
        values = read(dataset, 1, out_shape=shape)
        return values[np.isfinite(values)], dataset.tags(), dataset.dtypes[0]


def _unit(tags: Mapping[str, str]) -> str:
    """The unit of a map after a space; empty without one."""
    unit = tags.get("unit", "")
    return f" {unit}" if unit not in ("", NO_UNIT) else ""


def _renderer(ramp: Ramp, head: str) -> ElementTree.Element:
    """Pseudocolour of the first band; `head` is before the label of the lowest value."""
    bottom, top, ends = ramp.bottom, ramp.top, (head + ramp.ends[0], ramp.ends[1])
    renderer = ElementTree.Element(
        "rasterrenderer", type="singlebandpseudocolor", opacity="1", alphaBand="-1",
        nodataColor="", band="1", classificationMin=repr(bottom), classificationMax=repr(top),
    )  # fmt: skip
    shader = ElementTree.SubElement(
        ElementTree.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=repr(bottom),
        maximumValue=repr(top),
    )
    last = len(ramp.colours) - 1
    for step, colour in enumerate(ramp.colours):
        value = bottom + (top - bottom) * step / last
        label = {0: ends[0], last: ends[1]}.get(step, f"{value:.3g}".replace("-", "−"))
        ElementTree.SubElement(
            shader, "item", value=repr(value), color=colour, alpha="255", label=label
        )
    ElementTree.SubElement(
        shader,
        "rampLegendSettings",
        # a continuous legend labels both ends only: zero in the middle needs one of single steps
        useContinuousLegend="0" if bottom < 0 else "1",
        minimumLabel=ends[0],
        maximumLabel=ends[1],
        prefix="",
        suffix="",
        orientation="2",
        direction="0",
    )
    return renderer
