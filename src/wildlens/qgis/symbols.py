"""Symbols of vector layers: tiles by label and split, protected areas."""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from wildlens.colours import SEQUENTIAL
from wildlens.figures.style import MUTED, class_colour
from wildlens.settings import classes_in_order

# tiles by hue for the label and by filling for the split, as in the figure of the tiles
TILE_CLASS = """coalesce("label", '') || coalesce(', ' || "split", '')"""
AREA_SCORE = """coalesce("score_mean", -1)"""
AREA_LABEL = """left("name", 40) || coalesce(' ' || format_number("score_mean", 2), '')"""
SCORE_COLOURS = SEQUENTIAL[::2]  # five classes of equal width
# split, its title, strength of the tint in 0..255, what lies over the tint
_FILLINGS = (
    ("train", "training", 80, "no"),
    ("val", "validation", 80, "b_diagonal"),
    ("test", "test", 190, "no"),
    ("dropped", "left out", 0, "dense6"),
)


def tiles_renderer(classes: Sequence[str]) -> ElementTree.Element:
    """Categories of the footprints: label and split; unlabelled tiles are listed, but not shown.

    Args:
        classes: names of the classes, by label.
    """
    renderer = ElementTree.Element("renderer-v2", type="categorizedSymbol", attr=TILE_CLASS)
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    kinds = [
        (f"{name}, {split}", f"{name}, {title}", class_colour(label), tint, filling)
        for label, name in classes_in_order(classes)
        for split, title, tint, filling in _FILLINGS
    ]
    for number, (value, title, colour, tint, filling) in enumerate(
        [*kinds, ("unlabelled", "without label", MUTED, 0, "no")]
    ):
        ElementTree.SubElement(
            categories,
            "category",
            symbol=str(number),
            value=value,
            label=title,
            render="false" if value == "unlabelled" else "true",
        )
        symbol = _symbol(str(number))
        _add_fill(symbol, colour, "solid", width=0.5, strength=tint)
        if filling != "no":
            _add_fill(symbol, colour, filling, width=0.5, strength=255)
        symbols.append(symbol)
    return renderer


def areas_renderer() -> ElementTree.Element:
    """Outlines in the colour of the mean score, without fill, so that maps below stay visible.

    Areas outside the mapped scenes, which have no score, are grey.
    """
    renderer = ElementTree.Element(
        "renderer-v2", type="graduatedSymbol", attr=AREA_SCORE, graduatedMethod="GraduatedColor"
    )
    ranges = ElementTree.SubElement(renderer, "ranges")
    symbols = ElementTree.SubElement(renderer, "symbols")
    steps = len(SCORE_COLOURS)
    kinds = [("not mapped", -1.0, -0.5, MUTED)]
    for number, colour in enumerate(SCORE_COLOURS):
        low, high = number / steps, (number + 1) / steps
        kinds.append((f"mean score {low:.1f} to {high:.1f}", low, high, colour))
    for number, (title, low, high, colour) in enumerate(kinds):
        ElementTree.SubElement(
            ranges, "range", symbol=str(number), lower=repr(low), upper=repr(high), label=title,
            render="true",
        )  # fmt: skip
        symbol = _symbol(str(number))
        _add_fill(symbol, "#222222", "no", width=1.4, strength=0)
        _add_fill(symbol, colour, "no", width=0.9, strength=0)
        symbols.append(symbol)
    return renderer


def areas_labels() -> ElementTree.Element:
    """Labels with name and mean score, light on dark as most maps are; long names are cut."""
    labels = ElementTree.Element("labeling", type="simple")
    settings = ElementTree.SubElement(labels, "settings", calloutType="simple")
    style = ElementTree.SubElement(
        settings, "text-style", fieldName=AREA_LABEL, isExpression="1", fontSize="8",
        fontSizeUnit="Point", fontFamily="Sans Serif", fontWeight="50", textColor="255,255,255,255",
        textOpacity="1",
    )  # fmt: skip
    ElementTree.SubElement(
        style, "text-buffer", bufferDraw="1", bufferSize="0.9", bufferSizeUnits="MM",
        bufferColor="34,34,34,255", bufferOpacity="1",
    )  # fmt: skip
    ElementTree.SubElement(settings, "placement", placement="1")  # around the centre
    ElementTree.SubElement(settings, "rendering", drawLabels="1", obstacle="1")
    return labels


def _symbol(name: str) -> ElementTree.Element:
    return ElementTree.Element("symbol", name=name, type="fill", alpha="1", clip_to_extent="1")


def _add_fill(
    symbol: ElementTree.Element, colour: str, filling: str, *, width: float, strength: int
) -> None:
    """Lay an outline of a width in mm and a filling of a strength in 0..255 over a symbol."""
    layer = ElementTree.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
    _options(
        layer,
        {
            "color": _colour(colour, strength),
            "style": filling,
            "outline_color": _colour(colour, 255),
            "outline_style": "solid",
            "outline_width": str(width),
            "outline_width_unit": "MM",
            "joinstyle": "miter",
        },
    )


def _options(parent: ElementTree.Element, values: Mapping[str, str]) -> None:
    options = ElementTree.SubElement(parent, "Option", type="Map")
    for name, value in values.items():
        ElementTree.SubElement(options, "Option", name=name, value=value, type="QString")
    # QGIS up to 3.24 reads these instead
    for name, value in values.items():
        ElementTree.SubElement(parent, "prop", k=name, v=value)


def _colour(colour: str, alpha: int) -> str:
    """#rrggbb as QGIS writes it: r,g,b,alpha."""
    channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return ",".join(map(str, [*channels, alpha]))
