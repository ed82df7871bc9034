"""Styles for QGIS: a `.qml` of the same stem, which QGIS applies when it opens the file."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from wildlens.files.atomic import atomic
from wildlens.files.raster import open_raster
from wildlens.legend import CORINE
from wildlens.qgis.ramps import attribution_renderer, change_renderer
from wildlens.registry.methods import form_of

TRUE_COLOUR = ("B04", "B03", "B02")
# reflectance that is shown black and white; the latter is above that of land without snow. QGIS
# applies the scale that a raster states before it stretches
DARK, BRIGHT = 0.0001, 0.18


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
    """Write the style of an attribution map; see `ramps.attribution_renderer`."""
    return _write(attribution_renderer(map_path, method_title), map_path)


def write_change_style(path: Path, method_title: str) -> Path:
    """Write the style of the map of a change; see `ramps.change_renderer`."""
    return _write(change_renderer(path, method_title), path)


def write_scene_style(path: Path, bands: Sequence[str]) -> Path:
    """Write the style of a scene: true colour (or the first band in grey), 0 transparent.

    Args:
        path: scene, uint16 reflectance x 10000, which states its scale.
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
        ("minValue", str(DARK)),
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
