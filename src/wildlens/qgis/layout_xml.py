"""Print layouts of the project as XML: maps with title, legend, scale bar and north arrow.

An A4 page in landscape. Maps follow map themes, so that a layout shows the same layers whatever is
switched on in the layer panel. Names and numbers are those of QGIS 3.22, which later versions read.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from wildlens.figures.imagery import round_length
from wildlens.qgis.project_xml import Extent, Layer, add_layer

PAGE, MAP, PICTURE, LABEL, LEGEND, SCALE_BAR = (
    "65638", "65639", "65640", "65641", "65642", "65646",
)  # fmt: skip
WIDTH, HEIGHT, MARGIN, GAP = 297.0, 210.0, 10.0, 3.0  # mm
TOP, BOTTOM, SIDE = 20.0, 22.0, 78.0  # mm: title; notes; legend and scale bar to the right
CAPTION = 6.0  # mm above each map of several
NORTH_ARROW = ":/images/north_arrows/layout_default_north_arrow.svg"  # inside QGIS
FONT = "Sans Serif,{size},-1,5,{weight},0,0,0,0,0"  # as Qt writes fonts; 50 normal, 75 bold
BLACK, WHITE = (
    {"red": value, "green": value, "blue": value, "alpha": "255"} for value in ("0", "255")
)

Box = tuple[float, float, float, float]  # left, top, width, height in mm


@dataclass(frozen=True)
class Panel:
    """A map of a layout: the theme that it shows, and the caption above it."""

    theme: str
    caption: str = ""


def print_layout(
    name: str,
    title: str,
    notes: Sequence[str],
    panels: Sequence[Panel],
    legend: Sequence[Layer],
    extent: Extent,
    metres: bool = True,
) -> ElementTree.Element:
    """A layout of one map, or of up to four side by side.

    Args:
        name: in the project's list of layouts; title: on the page.
        notes: lines at the foot of the page.
        legend: layers that the legend lists.
        extent: of the ground, in the project's reference system.
        metres: whether its unit is the metre.
    """
    layout = ElementTree.Element("Layout", name=name, units="mm", printResolution="200")
    pages = ElementTree.SubElement(layout, "PageCollection")
    _item(pages, PAGE, f"{name} page", (0, 0, WIDTH, HEIGHT), layer=0, background=True)
    boxes = _boxes(len(panels))
    for number, (panel, box) in enumerate(zip(panels, boxes, strict=True)):
        left, top, width, _ = box
        if panel.caption:
            place = (left, top - CAPTION, width, CAPTION)
            _label(layout, f"{name} caption {number}", panel.caption, place, size=9)
        _map(layout, f"{name} map {number}", panel.theme, box, extent)
    first, right = _id(f"{name} map 0"), WIDTH - MARGIN - SIDE + GAP
    _legend(layout, f"{name} legend", legend, (right, TOP, SIDE - GAP, 10), first)
    # above the legend, which may reach down to the foot of the page
    _scale_bar(layout, f"{name} scale", (right, 6, 50, 10), first, extent, boxes[0], metres)
    arrow = _item(
        layout, PICTURE, f"{name} north", (WIDTH - MARGIN - 12, 5, 12, 13), layer=40,
        file=NORTH_ARROW, mapUuid=first, northMode="0", anchorPoint="4", mode="0",
    )  # fmt: skip
    arrow.set("svgFillColor", "0,0,0,255")
    _label(layout, f"{name} title", title, (MARGIN, 6, right - MARGIN, 9), size=14, weight=75)
    foot = (MARGIN, HEIGHT - BOTTOM + 2, WIDTH - 2 * MARGIN, BOTTOM - 5)
    _label(layout, f"{name} notes", "\n".join(notes), foot, size=7)
    ElementTree.SubElement(layout, "Atlas", enabled="0", coverageLayer="")
    return layout


def _boxes(count: int) -> list[Box]:
    """Where the maps are: one, two side by side, or two rows of two."""
    width, height = WIDTH - 2 * MARGIN - SIDE, HEIGHT - TOP - BOTTOM
    if count == 1:
        return [(MARGIN, TOP, width, height)]
    rows = -(-count // 2)
    wide, tall = (width - GAP) / 2, height / rows - CAPTION
    return [
        (MARGIN + k % 2 * (wide + GAP), TOP + k // 2 * (tall + CAPTION) + CAPTION, wide, tall)
        for k in range(count)
    ]


def _map(layout: ElementTree.Element, name: str, theme: str, box: Box, extent: Extent) -> None:
    item = _item(
        layout, MAP, name, box, layer=10, frame=True, background=True, followPreset="true",
        followPresetName=theme, keepLayerSet="false", mapRotation="0", drawCanvasItems="true",
    )  # fmt: skip
    names = ("xmin", "ymin", "xmax", "ymax")
    corners = map(repr, _fitted(extent, box))
    ElementTree.SubElement(item, "Extent", dict(zip(names, corners, strict=True)))
    ElementTree.SubElement(item, "LayerSet")


def _fitted(extent: Extent, box: Box) -> Extent:
    """An extent with the proportions of a box, around another one, with a narrow border."""
    west, south, east, north = extent
    pixel = 1.02 * max((east - west) / box[2], (north - south) / box[3])
    x, y = (west + east) / 2, (south + north) / 2
    across, down = pixel * box[2] / 2, pixel * box[3] / 2
    return x - across, y - down, x + across, y + down


def _legend(
    layout: ElementTree.Element, name: str, layers: Sequence[Layer], box: Box, map_id: str
) -> None:
    item = _item(
        layout, LEGEND, name, box, layer=20, map_uuid=map_id, resizeToContents="1", title="",
        symbolWidth="5", symbolHeight="3.2", boxSpace="0", columnCount="1", legendFilterByMap="0",
        fontColor="#000000", wrapChar="",
    )  # fmt: skip
    tree = ElementTree.SubElement(item, "layer-tree-group")
    for layer in layers:
        element = add_layer(tree, layer)
        if layer.raster:
            _without_band(element, layer)
    styles = ElementTree.SubElement(item, "styles")
    for style, size, weight, top, bottom in (
        ("title", 10, 75, 0, 0), ("group", 9, 75, 2, 0), ("subgroup", 8, 75, 3, 1.5),
        ("symbol", 7, 50, 0.6, 0), ("symbolLabel", 7, 50, 0.6, 0),
    ):  # fmt: skip
        element = ElementTree.SubElement(
            styles, "style", name=style, marginTop=str(top), marginBottom=str(bottom),
            marginLeft="2", alignment="1",
        )  # fmt: skip
        _font(element, "styleFont", size, weight)


def _without_band(element: ElementTree.Element, layer: Layer) -> None:
    """Leave the first line of a raster's legend out, which names the band."""
    continuous = layer.renderer.find(".//*[@useContinuousLegend='1']") is not None
    lines = 1 if continuous else len(layer.renderer.findall(".//*[@label]"))
    options = ElementTree.SubElement(
        ElementTree.SubElement(element, "customproperties"), "Option", type="Map"
    )
    order = ",".join(map(str, range(1, 1 + lines)))
    ElementTree.SubElement(options, "Option", name="legend/node-order", type="QString", value=order)


def _scale_bar(
    layout: ElementTree.Element, name: str, box: Box, map_id: str, extent: Extent, shown: Box,
    metres: bool,
) -> None:  # fmt: skip
    """Two segments of a round length, together about a quarter of the first map's width."""
    west, _, east, _ = _fitted(extent, shown)
    ground = (east - west) * (1 if metres else 111_320)  # m, of the map's width
    length = round_length(ground / shown[2] * box[2] / 2 * 0.8)
    kilometres = length >= 1000
    item = _item(
        layout, SCALE_BAR, name, box, layer=30, mapUuid=map_id, style="Single Box",
        unitType="km" if kilometres else "meters", unitLabel="km" if kilometres else "m",
        numUnitsPerSegment=repr(length / 1000 if kilometres else length), numSegments="2",
        numSegmentsLeft="0", numMapUnitsPerScaleBarUnit="1", segmentSizeMode="0", height="2",
        labelBarSpace="1.5", boxContentSpace="0", outlineWidth="0.2", alignment="0",
    )  # fmt: skip
    for tag, colour in (("fillColor", BLACK), ("fillColor2", WHITE), ("strokeColor", BLACK)):
        ElementTree.SubElement(item, tag, colour)
    _font(item, "scaleBarFont", 7, 50)


def _label(
    layout: ElementTree.Element, name: str, text: str, box: Box, *, size: int, weight: int = 50
) -> None:
    item = _item(
        layout, LABEL, name, box, layer=50, labelText=text, htmlState="0", halign="1", valign="32",
        marginX="0", marginY="0",
    )  # fmt: skip
    _font(item, "LabelFont", size, weight)
    ElementTree.SubElement(item, "FontColor", BLACK)


def _font(parent: ElementTree.Element, tag: str, size: int, weight: int) -> None:
    font = FONT.format(size=size, weight=weight)
    ElementTree.SubElement(parent, tag, description=font, style="")


def _item(
    parent: ElementTree.Element, kind: str, name: str, box: Box, *, layer: int,
    frame: bool = False, background: bool = False, **attributes: str,
) -> ElementTree.Element:  # fmt: skip
    """An item of a page; `layer` orders items that overlap."""
    left, top, width, height = box
    item = ElementTree.SubElement(
        parent, "LayoutItem", type=kind, id=name, uuid=_id(name), templateUuid=_id(name),
        position=f"{left:g},{top:g},mm", positionOnPage=f"{left:g},{top:g},mm",
        size=f"{width:g},{height:g},mm", referencePoint="0", zValue=str(layer), visibility="1",
        opacity="1", blendMode="0", itemRotation="0", frame=str(frame).lower(),
        background=str(background).lower(), outlineWidthM="0.2,mm", frameJoinStyle="miter",
        **attributes,
    )  # fmt: skip
    ElementTree.SubElement(item, "FrameColor", BLACK)
    ElementTree.SubElement(item, "BackgroundColor", WHITE)
    return item


def _id(name: str) -> str:
    """Identifier of an item, the same in each run."""
    return f"{{{uuid.uuid5(uuid.NAMESPACE_URL, f'wildlens {name}')}}}"
