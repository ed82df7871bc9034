"""Styles for QGIS: a `.qml` of the same stem, which QGIS applies when it opens the file."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from wildlens.atomic import atomic
from wildlens.errors import WildLensError
from wildlens.legend import CORINE
from wildlens.raster import open_raster

# viridis in nine steps, as in the figures
RAMP = (
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
    "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip
TRUE_COLOUR = ("B04", "B03", "B02")
BRIGHT = 1800  # reflectance x 10000 that is shown white: land without snow stays below it
DEVIATIONS_99 = (
    2.33  # standard deviations above the mean of a normal distribution's 99th percentile
)


def write_map_style(path: Path, method_title: str) -> Path:
    """Write the style of what `wildlens map` made: of a generated image as of a scene, else a ramp.

    Args:
        path: the map; method_title: heads the legend of an attribution.

    Returns:
        Path of the style.
    """
    with open_raster(path) as dataset:
        is_image, bands = dataset.dtypes[0] == "uint16", dataset.descriptions
    if is_image:
        return write_scene_style(path, bands)
    return write_attribution_style(path, method_title)


def write_attribution_style(map_path: Path, method_title: str) -> Path:
    """Write the style of an attribution map: a colour ramp, no data transparent.

    The ramp runs from 0 (below 0 for methods with negative values) to about the 99th percentile,
    both from the statistics in the map's tags; a map without statistics gets 0 to 1.

    Args:
        map_path: attribution map, float32 GeoTIFF.
        method_title: heads the legend.

    Returns:
        Path of the style.
    """
    return _write(attribution_renderer(map_path, method_title), map_path)


def attribution_renderer(map_path: Path, method_title: str) -> ElementTree.Element:
    """How QGIS draws an attribution map; see `write_attribution_style`."""
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
    """Lower and upper end of the ramp."""
    with open_raster(map_path) as dataset:
        tags = dataset.tags(1)
    try:
        low, high, mean, deviation = (
            float(tags.get(f"STATISTICS_{name}", default))
            for name, default in (("MINIMUM", 0), ("MAXIMUM", 1), ("MEAN", 1), ("STDDEV", 0))
        )
    except ValueError as error:
        raise WildLensError(f"{map_path}: its statistics are no numbers: {error}") from None
    top = min(high, mean + DEVIATIONS_99 * deviation)
    bottom = max(low, mean - DEVIATIONS_99 * deviation) if low < 0 else 0.0
    if not bottom < top:
        bottom, top = min(bottom, low), max(top, low) + 1
    return bottom, top


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
    """How QGIS draws a scene, X+ or X-: with one stretch, so that they compare."""
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
    """How QGIS draws land cover: the official colours, with codes and names of these classes.

    Args:
        indices: CORINE indices that are in the raster; others would only fill the legend.
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


def write_vector_style(renderer: ElementTree.Element, path: Path) -> Path:
    """Write the style of a GeoPackage of one layer beside it."""
    return _write(renderer, path)


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


def _write(renderer: ElementTree.Element, path: Path) -> Path:
    style = path.with_suffix(".qml")
    root = ElementTree.Element("qgis", version="3.22", styleCategories="AllStyleCategories")
    raster = renderer.tag == "rasterrenderer"
    (ElementTree.SubElement(root, "pipe") if raster else root).append(renderer)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    with atomic(style) as temporary:
        header = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        temporary.write_text(header + text + "\n", encoding="utf-8")
    return style
