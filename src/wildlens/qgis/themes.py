"""Map themes of the project: sets of layers that are switched on together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from xml.etree import ElementTree

from wildlens.qgis.agreement import VIEW
from wildlens.qgis.project_xml import Layer
from wildlens.registry import methods

IMAGE, ATTRIBUTION = "Image", "Attribution"
OTHER_METHOD, LAND_COVER = "Comparison: other method", "Comparison: land cover"
CHANGE, AGREEMENT = "Change between two dates", "Attribution where members agree"


def themes_of(layers: Iterable[Layer]) -> dict[str, list[Layer]]:
    """Theme -> its layers; themes that would lack what they are named after are left out.

    The attribution is the one that is shown when the project opens. The other method is the first
    of the remaining ones, if possible one that is not made of generated images: their maps are much
    alike. The agreement is that of the same method as the attribution. The change is that of the
    first map, the score. Outlines of protected areas are in all themes.
    """
    layers = list(layers)
    of_kind = {
        kind: [layer for layer in layers if layer.kind == kind]
        for kind in ("areas", "image", "attribution", "agreement", "land cover", "change")
    }
    areas, images, maps = (of_kind[kind] for kind in ("areas", "image", "attribution"))
    others = [layer for layer in maps if not layer.shown]
    rivals = [layer for layer in others if _method(layer) not in methods.names("paper")]
    themes = {
        IMAGE: (images, []),
        ATTRIBUTION: ([layer for layer in maps if layer.shown], images),
        AGREEMENT: (_of_shown(of_kind["agreement"], maps), images),
        OTHER_METHOD: (first_of_each_scene(rivals or others), images),
        LAND_COVER: (of_kind["land cover"], []),
        CHANGE: (of_kind["change"][:1], []),
    }
    return {name: [*areas, *found, *below] for name, (found, below) in themes.items() if found}


def _method(layer: Layer) -> str:
    """The method of a map, which its file is named after."""
    return PurePosixPath(layer.source).stem


def _of_shown(views: Iterable[Layer], maps: Iterable[Layer]) -> list[Layer]:
    """Views of the maps that are shown when the project opens."""
    shown = {layer.source.removesuffix(".tif") for layer in maps if layer.shown}
    return [view for view in views if view.source.removesuffix(VIEW) in shown]


def first_of_each_scene(layers: Iterable[Layer]) -> list[Layer]:
    """The first layer of each folder: maps of a scene are in one of its name."""
    found: dict[str, Layer] = {}
    for layer in layers:
        found.setdefault(layer.source.rpartition("/")[0], layer)
    return list(found.values())


def presets(themes: Mapping[str, Sequence[Layer]]) -> ElementTree.Element:
    """The themes as QGIS stores them; groups stay as they are."""
    root = ElementTree.Element("visibility-presets")
    for name, layers in themes.items():
        preset = ElementTree.SubElement(root, "visibility-preset", name=name)
        for layer in layers:
            ElementTree.SubElement(
                preset, "layer", id=layer.id, style="default", visible="1", expanded="1"
            )
    return root
