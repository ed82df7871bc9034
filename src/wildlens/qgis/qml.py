"""Styles for QGIS: a `.qml` of the same stem, which QGIS applies when it opens the file."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from wildlens.files.atomic import atomic
from wildlens.files.raster import open_raster, read
from wildlens.legend import CORINE
from wildlens.registry.methods import form_of

# viridis in nine steps, as in the figures
RAMP = (
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
    "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip
TRUE_COLOUR = ("B04", "B03", "B02")
BRIGHT = 1800  # reflectance x 10000 that is shown white, above that of land without snow
SAMPLE = 1000  # pixels per side of the resampled map


def write_map_style(path: Path, method_title: str) -> Path:
    """Write the style of a map: true colour for a generated image, else a colour ramp.

    Args:
        path: the map; method_title: heads the legend of an attribution.

    Returns:
        Path of the style.
    """
    with open_raster(path) as dataset:
        form = form_of(dataset.tags(), path.stem, dataset.dtypes[0])
        bands = dataset.descriptions
    if form == "image":
        return write_scene_style(path, bands)
    return write_attribution_style(path, method_title)


def write_attribution_style(map_path: Path, method_title: str) -> Path:
    """Write the style of an attribution map: a colour ramp, no data transparent.

    The ramp runs from 0 (from the 1st percentile for methods with negative values) to the 99th
    percentile, as in the figures; a map of the score, or one without values, gets 0 to 1.

    Args:
        map_path: attribution map, float32 GeoTIFF.
        method_title: heads the legend.

    Returns:
        Path of the style.
    """
    return _write(attribution_renderer(map_path, method_title), map_path)


def attribution_renderer(map_path: Path, method_title: str) -> ElementTree.Element:
    """Renderer of an attribution map; see `write_attribution_style`."""
    bottom, top = _limits(map_path)
    renderer = _renderer("singlebandpseudocolor")
    renderer.set("band", "1")
    renderer.set("classificationMin", repr(bottom))
    renderer.set("classificationMax", repr(top))
    shader = ElementTree.SubElement(
        ElementTree.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=repr(bottom),
        maximumValue=repr(top),
    )
    for step, colour in enumerate(RAMP):
        value = bottom + (top - bottom) * step / (len(RAMP) - 1)
        label = f"{value:.3g}"
        if step == 0:
            label = f"{method_title}: {label}, low"
        elif step == len(RAMP) - 1:
            label += " or more, high"
        ElementTree.SubElement(
            shader, "item", value=repr(value), color=colour, alpha="255", label=label
        )
    return renderer


def _limits(map_path: Path) -> tuple[float, float]:
    """Lower and upper end of the ramp, from percentiles of a resampled map."""
    with open_raster(map_path) as dataset:
        if form_of(dataset.tags(), map_path.stem, dataset.dtypes[0]) == "score":
            return 0.0, 1.0
        factor = max(1.0, max(dataset.shape) / SAMPLE)
        shape = tuple(max(1, round(side / factor)) for side in dataset.shape)
        values = read(dataset, 1, out_shape=shape)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, [1, 99]))
    bottom = low if low < 0 else 0.0
    return bottom, high if high > bottom else bottom + 1


def write_scene_style(path: Path, bands: Sequence[str]) -> Path:
    """Write the style of a scene: true colour (or the first band in grey), 0 transparent.

    Args:
        path: scene, uint16 reflectance x 10000.
        bands: names of its bands in their order.

    Returns:
        Path of the style.
    """
    return _write(scene_renderer(bands), path)


def scene_renderer(bands: Sequence[str]) -> ElementTree.Element:
    """Renderer of a scene, X+ or X-, with one stretch for all."""
    if all(band in bands for band in TRUE_COLOUR):
        renderer = _renderer("multibandcolor")
        for colour, band in zip(("red", "green", "blue"), TRUE_COLOUR, strict=True):
            renderer.set(f"{colour}Band", str(list(bands).index(band) + 1))
            _contrast(ElementTree.SubElement(renderer, f"{colour}ContrastEnhancement"))
    else:
        renderer = _renderer("singlebandgray")
        renderer.set("grayBand", "1")
        renderer.set("gradient", "BlackToWhite")
        _contrast(ElementTree.SubElement(renderer, "contrastEnhancement"))
    return renderer


def landcover_renderer(indices: Iterable[int]) -> ElementTree.Element:
    """Renderer of land cover: official colours, codes and names of the given classes.

    Args:
        indices: CORINE indices that occur in the raster.
    """
    renderer = _renderer("paletted")
    renderer.set("band", "1")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for member in map(CORINE.of_index, sorted(indices)):
        ElementTree.SubElement(
            palette,
            "paletteEntry",
            value=str(member.index),
            color="#{:02x}{:02x}{:02x}".format(*member.rgb),
            alpha="255",
            label=f"{member.code} {member.name}",
        )
    return renderer


def write_vector_style(
    renderer: ElementTree.Element, path: Path, labels: ElementTree.Element | None = None
) -> Path:
    """Write the style of a GeoPackage with one layer beside it, with its labels, if any."""
    return _write(renderer, path, labels)


def _renderer(kind: str) -> ElementTree.Element:
    return ElementTree.Element(
        "rasterrenderer", type=kind, opacity="1", alphaBand="-1", nodataColor=""
    )


def _contrast(element: ElementTree.Element) -> None:
    for name, text in (
        ("minValue", "1"),
        ("maxValue", str(BRIGHT)),
        ("algorithm", "StretchToMinimumMaximum"),
    ):
        ElementTree.SubElement(element, name).text = text


def _write(
    renderer: ElementTree.Element, path: Path, labels: ElementTree.Element | None = None
) -> Path:
    style = path.with_suffix(".qml")
    root = ElementTree.Element("qgis", version="3.22", styleCategories="AllStyleCategories")
    raster = renderer.tag == "rasterrenderer"
    (ElementTree.SubElement(root, "pipe") if raster else root).append(renderer)
    if labels is not None:
        root.set("labelsEnabled", "1")
        root.append(labels)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    with atomic(style) as temporary:
        header = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        temporary.write_text(header + text + "\n", encoding="utf-8")
    return style
