"""A QGIS project as XML, written without QGIS: layers, layer tree and initial extent.

Checked with QGIS 3.22. A layer's id must be longer than ten characters, or QGIS replaces it and the
layer tree loses the layer; a reference system needs its WKT, since one
that only names its authority is ignored; sources are relative to the project's folder.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from pyproj import CRS

from wildlens.files.atomic import atomic

DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
VERSION = "3.22.16-Białowieża"  # version of this XML; later ones read it
Extent = tuple[float, float, float, float]  # west, south, east, north


@dataclass(frozen=True)
class Layer:
    """A layer of the project.

    Attributes:
        title: in the layer panel; source: path from the project's folder, for GeoPackages with
            `|layername=` and the layer.
        crs: its reference system; extent: in that system.
        renderer: `rasterrenderer` or `renderer-v2`, which tells a raster from polygons.
        shown: whether it is visible; expanded: whether its legend is open.
        note: how to read it, shown in its properties.
        labels: `labeling` of polygons; None: without labels.
        kind: "image", "attribution", "agreement", "land cover", "areas" or "change", which themes
            are made of; or empty.
    """

    title: str
    source: str
    crs: CRS
    extent: Extent
    renderer: ElementTree.Element
    shown: bool = False
    expanded: bool = False
    note: str = ""
    labels: ElementTree.Element | None = None
    kind: str = ""

    @property
    def raster(self) -> bool:
        """Whether it is a raster."""
        return self.renderer.tag == "rasterrenderer"

    @property
    def id(self) -> str:
        """Identifier in the project, the same in each run."""
        return f"wildlens_{hashlib.blake2b(self.source.encode(), digest_size=8).hexdigest()}"


@dataclass(frozen=True)
class Group:
    """Layers and groups under one title, the upper ones drawn over the lower ones."""

    title: str
    members: Sequence["Layer | Group"] = field(default_factory=list)
    shown: bool = True
    expanded: bool = True
    one_at_a_time: bool = False


def write_project(
    path: Path,
    title: str,
    members: Sequence[Layer | Group],
    crs: CRS,
    extent: Extent,
    note: str,
    themes: ElementTree.Element,
    layouts: Sequence[ElementTree.Element],
) -> None:
    """Write a project that shows `members`, the first on top, and opens at `extent` of `crs`.

    Args:
        path: `.qgz`: the zipped `.qgs`, with fixed times, so that it is the same in each run.
        note: description, shown in the project's properties.
        themes: see `themes.presets`; layouts: see `layout.print_layout`.
    """
    root = _project(title, members, crs, extent, note)
    root.append(themes)
    _child(root, "Layouts").extend(layouts)
    ElementTree.indent(root)
    text = DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n"
    entry = zipfile.ZipInfo(f"{path.stem}.qgs")
    entry.external_attr = 0o644 << 16
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(entry, text.encode(), zipfile.ZIP_DEFLATED)


def layers_of(members: Sequence[Layer | Group]) -> Iterator[Layer]:
    """All layers of a tree from top to bottom."""
    for member in members:
        if isinstance(member, Layer):
            yield member
        else:
            yield from layers_of(member.members)


def _project(title, members, crs: CRS, extent: Extent, note: str) -> ElementTree.Element:
    layers = list(layers_of(members))
    root = ElementTree.Element("qgis", projectname=title, version=VERSION)
    _text(root, "title", title)
    _crs(_child(root, "projectCrs"), crs)
    tree = _child(root, "layer-tree-group")
    for member in members:
        _tree(tree, member)
    canvas = _child(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
    _text(canvas, "units", "meters" if crs.is_projected else "degrees")
    _extent(canvas, extent)
    _text(canvas, "rotation", "0")
    _crs(_child(canvas, "destinationsrs"), crs)
    container = _child(root, "projectlayers")
    for layer in layers:
        container.append(_layer(layer))
    order = _child(root, "layerorder")
    for layer in layers:
        _child(order, "layer", id=layer.id)
    properties = _child(root, "properties")
    _text(_child(properties, "SpatialRefSys"), "ProjectionsEnabled", "1", type="int")
    _text(_child(properties, "Paths"), "Absolute", "false", type="bool")
    view = _child(root, "ProjectViewSettings", UseProjectScales="0")
    names = ("xmin", "ymin", "xmax", "ymax")
    corners = {name: repr(float(value)) for name, value in zip(names, extent, strict=True)}
    _crs(_child(view, "DefaultViewExtent", **corners), crs)
    metadata = _child(root, "projectMetadata")
    _text(metadata, "title", title)
    _text(metadata, "abstract", note)
    return root


def _tree(parent: ElementTree.Element, member: Layer | Group) -> None:
    if isinstance(member, Layer):
        add_layer(parent, member)
        return
    group = _child(
        parent,
        "layer-tree-group",
        name=member.title,
        checked=_checked(member.shown),
        expanded=_flag(member.expanded),
    )
    if member.one_at_a_time:
        shown = [getattr(inner, "shown", False) for inner in member.members]
        group.set("mutually-exclusive", "1")
        group.set("mutually-exclusive-child", str(shown.index(True) if any(shown) else -1))
    for inner in member.members:
        _tree(group, inner)


def add_layer(parent: ElementTree.Element, layer: Layer) -> ElementTree.Element:
    """Add a layer to a layer tree, of the panel or of a legend."""
    return _child(
        parent,
        "layer-tree-layer",
        id=layer.id,
        name=layer.title,
        source=layer.source,
        providerKey="gdal" if layer.raster else "ogr",
        checked=_checked(layer.shown),
        expanded=_flag(layer.expanded),
    )


def _layer(layer: Layer) -> ElementTree.Element:
    element = ElementTree.Element("maplayer", type="raster" if layer.raster else "vector")
    if not layer.raster:
        element.set("geometry", "Polygon")
    _extent(element, layer.extent)
    _text(element, "id", layer.id)
    _text(element, "datasource", layer.source)
    _text(element, "layername", layer.title)
    _crs(_child(element, "srs"), layer.crs)
    metadata = _child(element, "resourceMetadata")
    _text(metadata, "title", layer.title)
    _text(metadata, "abstract", layer.note)
    if layer.raster:
        _text(element, "provider", "gdal")
        pipe = _child(element, "pipe")
        pipe.append(layer.renderer)
    else:
        _text(element, "provider", "ogr", encoding="UTF-8")
        element.append(layer.renderer)
        if layer.labels is not None:
            element.set("labelsEnabled", "1")
            element.append(layer.labels)
    return element


def _crs(parent: ElementTree.Element, crs: CRS) -> None:
    system = _child(parent, "spatialrefsys")
    _text(system, "wkt", crs.to_wkt("WKT2_2019"))
    authority = crs.to_authority()
    if authority:
        _text(system, "authid", ":".join(authority))
    _text(system, "description", crs.name)
    _text(system, "geographicflag", "true" if crs.is_geographic else "false")


def _extent(parent: ElementTree.Element, extent: Extent) -> None:
    element = _child(parent, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), extent, strict=True):
        _text(element, name, repr(float(value)))


def _child(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _text(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(parent, tag, attributes).text = text


def _checked(shown: bool) -> str:
    return "Qt::Checked" if shown else "Qt::Unchecked"


def _flag(value: bool) -> str:
    return "1" if value else "0"
