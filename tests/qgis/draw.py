"""Open a project in a real QGIS, draw it and each of its layers, and say what was seen as JSON.

    /usr/bin/python3 draw.py PROJECT FOLDER

Runs under the system's Python, for which Debian builds `qgis`; needs no screen. Pictures go to
FOLDER: `project.png` as the project opens, one a layer, named by its source, `theme-NAME.png` of
each map theme, and `layout-NAME.png` of each print layout.
"""

import json
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsCoordinateTransform,
    QgsLayoutExporter,
    QgsLayoutItemLabel,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutItemPicture,
    QgsLayoutItemScaleBar,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage


def draw(layers, extent, project, picture: Path) -> dict:
    """Draw layers, the first on top; how many colours there are, and what went wrong."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(project.crs())
    settings.setTransformContext(project.transformContext())
    settings.setBackgroundColor(QColor(255, 255, 255, 0))
    settings.setOutputSize(QSize(800, 800))
    settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(str(picture))
    spots = range(0, 800, 4)
    pixels = [image.pixel(x, y) for x in spots for y in spots]
    return {
        "colours": len(set(pixels)),
        "transparent": sum(pixel >> 24 == 0 for pixel in pixels) / len(pixels),
        "opaque": sum(pixel >> 24 == 255 for pixel in pixels) / len(pixels),
        "errors": [error.message for error in job.errors()],
    }


def describe(layer, project, folder: Path) -> dict:
    """What a person would look up in the layer's properties, and its picture."""
    shape = QgsCoordinateTransform(layer.crs(), project.crs(), project)
    seen = {
        "title": layer.name(),
        "source": layer.source(),
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "shown": layer in project.layerTreeRoot().checkedLayers(),
        "renderer": layer.renderer().type() if layer.isValid() else None,
    }
    if not layer.isValid():
        return seen
    if isinstance(layer, QgsRasterLayer):
        seen["legend"] = [text for text, _ in layer.legendSymbologyItems()]
        seen["nodata"] = layer.dataProvider().sourceHasNoDataValue(1)
    else:
        seen["legend"] = [item.label() for item in layer.renderer().legendSymbolItems()]
    name = slug("-".join(Path(layer.source()).parts[-3:]))
    extent = shape.transformBoundingBox(layer.extent())
    return seen | draw([layer], extent, project, folder / f"{name}.png")


def themes(project, folder: Path) -> dict:
    """Titles of the layers of each map theme, and its picture."""
    collection, extent = project.mapThemeCollection(), project.viewSettings().defaultViewExtent()
    seen = {}
    for name in collection.mapThemes():
        layers = collection.mapThemeVisibleLayers(name)
        picture = folder / f"theme-{slug(name)}.png"
        seen[name] = {"layers": [layer.name() for layer in layers]}
        seen[name] |= draw(layers, extent, project, picture)
    return seen


def layouts(project, folder: Path) -> dict:
    """What is on each print layout, and its picture."""
    seen = {}
    for layout in project.layoutManager().printLayouts():
        items = {
            kind: [item for item in layout.items() if isinstance(item, of_kind)]
            for kind, of_kind in (
                ("maps", QgsLayoutItemMap), ("labels", QgsLayoutItemLabel),
                ("legends", QgsLayoutItemLegend), ("bars", QgsLayoutItemScaleBar),
                ("arrows", QgsLayoutItemPicture),
            )
        }  # fmt: skip
        exporter = QgsLayoutExporter(layout)
        settings = QgsLayoutExporter.ImageExportSettings()
        settings.dpi = 120
        picture = folder / f"layout-{slug(layout.name())}.png"
        done = exporter.exportToImage(str(picture), settings)
        image = QImage(str(picture))
        spots = [(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)]
        page = layout.pageCollection().page(0).rect()
        (legend,) = items["legends"]
        seen[layout.name()] = {
            "exported": done == QgsLayoutExporter.Success,
            "colours": len({image.pixel(x, y) for x, y in spots}),
            "themes": [item.followVisibilityPresetName() for item in items["maps"]],
            "labels": [item.text() for item in items["labels"]],
            "legend": [node.name() for node in legend.model().rootGroup().findLayers()],
            "bars": [[item.unitLabel(), item.unitsPerSegment()] for item in items["bars"]],
            "arrows": [item.isMissingImage() for item in items["arrows"]],
            "outside": [
                item.displayName() or item.id()
                for item in (item for found in items.values() for item in found)
                if not page.adjusted(-1, -1, 1, 1).contains(item.mapRectToScene(item.rect()))
            ],
        }
    return seen


def slug(text: str) -> str:
    """A text as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text)


def groups(node, depth: int = 0) -> list:
    """Names of the layer panel from top to bottom, indented."""
    names = [f"{'  ' * depth}{child.name()}" for child in node.children()]
    inner = [groups(child, depth + 1) if hasattr(child, "children") else [] for child in
             node.children()]  # fmt: skip
    return [line for name, below in zip(names, inner, strict=True) for line in (name, *below)]


def main(path: Path, folder: Path) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    read = project.read(str(path))
    root = project.layerTreeRoot()
    extent = project.viewSettings().defaultViewExtent()
    seen = {
        "read": read,
        "title": project.title(),
        "crs": project.crs().authid(),
        "panel": groups(root),
        "layers": [describe(layer, project, folder) for layer in root.layerOrder()],
        "opens_at": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "themes": themes(project, folder),
        "layouts": layouts(project, folder),
        "whole": draw(root.checkedLayers(), extent, project, folder / "project.png"),
    }
    print(json.dumps(seen))
    sys.stdout.flush()
    sound = read and all(layer["valid"] and not layer["errors"] for layer in seen["layers"])
    os._exit(not (sound and seen["whole"]["colours"] > 1))  # tearing QGIS down may crash


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
