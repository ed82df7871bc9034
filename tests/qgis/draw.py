"""Open a project in a real QGIS, draw it and each of its layers, and say what was seen as JSON.

    /usr/bin/python3 draw.py PROJECT FOLDER

Runs under the system's Python, for which Debian builds `qgis`; needs no screen. Pictures go to
FOLDER: `project.png` as the project opens, and one a layer, named by its source.
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
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def draw(layers, extent, project, picture: Path) -> dict:
    """Draw layers, the first on top; how many colours there are, and what went wrong."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(project.crs())
    settings.setTransformContext(project.transformContext())
    settings.setBackgroundColor(QColor(255, 255, 255))
    settings.setOutputSize(QSize(800, 800))
    settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(str(picture))
    spots = range(0, 800, 4)
    return {
        "colours": len({image.pixel(x, y) for x in spots for y in spots}),
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
    name = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(Path(layer.source()).parts[-3:]))
    extent = shape.transformBoundingBox(layer.extent())
    return seen | draw([layer], extent, project, folder / f"{name}.png")


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
        "whole": draw(root.checkedLayers(), extent, project, folder / "project.png"),
    }
    print(json.dumps(seen))
    sys.stdout.flush()
    sound = read and all(layer["valid"] and not layer["errors"] for layer in seen["layers"])
    os._exit(not (sound and seen["whole"]["colours"] > 1))  # tearing QGIS down may crash


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
