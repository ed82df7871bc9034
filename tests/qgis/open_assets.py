"""Walk a static STAC catalogue and open its rasters in a real QGIS; say what was seen as JSON.

    /usr/bin/python3 open_assets.py CATALOG.JSON

Runs under the system's Python, for which Debian builds `qgis`; needs no screen. Where Python
reaches QGIS's own reader of STAC (3.44 and newer), each file is read by it, too.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qgis.core
from qgis.core import QgsApplication, QgsRasterLayer


def files(path: Path):
    """This file and all that it links to as child or item."""
    content = json.loads(path.read_text())
    yield path, content
    for link in content["links"]:
        if link["rel"] in ("child", "item"):
            yield from files((path.parent / link["href"]).resolve())


def read_by_qgis(path: Path, content: dict) -> bool:
    """Whether QGIS's own reader takes the file; True where it has none."""
    if not hasattr(qgis.core, "QgsStacController"):
        return True
    controller = qgis.core.QgsStacController()
    kind = {"Catalog": "Catalog", "Collection": "Collection", "Feature": "Item"}[content["type"]]
    found = getattr(controller, f"openLocal{kind}")(str(path))
    return found is not None and found.id() == content["id"]


def main(catalogue: Path) -> None:
    application = QgsApplication([], False)
    application.initQgis()
    seen, sound = [], True
    for path, content in files(catalogue.resolve()):
        sound &= read_by_qgis(path, content)
        for asset in content.get("assets", {}).values():
            if not asset["type"].startswith("image/tiff"):
                continue
            source = (path.parent / asset["href"]).resolve()
            layer = QgsRasterLayer(str(source), asset["title"])
            valid = layer.isValid()
            seen.append({
                "title": asset["title"],
                "valid": valid,
                "crs": layer.crs().authid(),
                "renderer": layer.renderer().type() if valid else None,
            })  # fmt: skip
    print(json.dumps(seen))
    sys.stdout.flush()
    os._exit(not (sound and seen and all(layer["valid"] for layer in seen)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
