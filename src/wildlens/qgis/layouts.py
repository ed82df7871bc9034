"""The print layouts of a project: one map with its legend, and all map themes side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from wildlens.qgis.layout_xml import Panel, print_layout
from wildlens.qgis.project_xml import Extent, Layer
from wildlens.qgis.themes import ATTRIBUTION, IMAGE, LAND_COVER, OTHER_METHOD


def layouts_of(
    themes: Mapping[str, Sequence[Layer]],
    scene: str,
    notes: Sequence[str],
    extent: Extent,
    metres: bool,
) -> list[ElementTree.Element]:
    """Layouts of one scene: "Map" and, with several themes, "Comparison".

    Args:
        themes: see `themes.themes_of`; scene: name of the one that is shown.
        notes: lines at the foot of each page.
        extent: of the scene; metres: whether its unit is the metre.
    """
    main = ATTRIBUTION if ATTRIBUTION in themes else IMAGE
    of_scene = {name: _of_scene(layers, scene) for name, layers in themes.items()}
    titles = {name: found[0].title if found else name for name, found in of_scene.items()}
    areas = [layer for layer in themes[main] if layer.kind == "areas"]
    maps = of_scene[main][:1] if main == ATTRIBUTION else []
    title = f"{main}: {titles[main]}, scene {scene}"
    layouts = [print_layout("Map", title, notes, [Panel(main)], [*maps, *areas], extent, metres)]
    if len(themes) > 1:
        maps = [*maps, *of_scene.get(OTHER_METHOD, [])[:1]]
        panels = [Panel(name, titles[name]) for name in themes]
        legend = [*maps, *areas, *of_scene.get(LAND_COVER, [])]
        title = f"Comparison of maps, scene {scene}"
        layouts.append(print_layout("Comparison", title, notes, panels, legend, extent, metres))
    return layouts


def _of_scene(layers: Sequence[Layer], scene: str) -> list[Layer]:
    """Rasters of a scene among layers; their files or folders have its name."""
    return [
        layer
        for layer in layers
        if layer.raster and scene in Path(layer.source).with_suffix("").parts
    ]
