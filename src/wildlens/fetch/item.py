"""STAC item of a fetched product, which `wildlens.scene.products.stac` reads.

Baseline, offset and flags are those of the catalogue; fields about the server's files (addresses,
checksums, size of the grid) are replaced by those of the files on disk.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from wildlens.fetch.address import shown
from wildlens.files import raster
from wildlens.scene.products.stac import finest_assets

_OF_THE_SERVER = ("href", "alternate", "title", "description")
_PREFIXES = ("file:", "auth:", "storage:", "alternate:", "table:", "xarray:", "proj:", "msft:")
_KEPT = ("type", "stac_version", "id", "collection", "bbox", "geometry")


def local_item(item: dict, files: Mapping[str, Path], provenance: Mapping[str, object]) -> dict:
    """The item of the downloaded files.

    Args:
        item: as received from the catalogue.
        files: band -> its GeoTIFF, in the folder of the item.
        provenance: origin of the files, stored as the property `wildlens:fetched`.
    """
    chosen = finest_assets(item["assets"])
    keys = {id(asset): key for key, asset in item["assets"].items()}
    assets = {keys[id(chosen[band])]: _asset(chosen[band], path) for band, path in files.items()}
    links = [link for link in _links(item) if link.get("rel") == "self"]
    origin = shown(str(links[0].get("href"))) if links else ""
    return {
        **{key: item[key] for key in _KEPT if key in item},
        "properties": item["properties"] | {"wildlens:fetched": dict(provenance)},
        "assets": assets,
        "links": [{"rel": "via", "href": origin}] if origin else [],
    }


def _asset(asset: dict, path: Path) -> dict:
    grid = raster.read_grid(path)
    kept = {
        key: value
        for key, value in asset.items()
        if key not in _OF_THE_SERVER and not key.startswith(_PREFIXES)
    }
    return kept | {
        "href": f"./{path.name}",
        "type": "image/tiff; application=geotiff",
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.affine[:6]),
        "wildlens:source": shown(str(asset.get("href"))),
    }


def _links(item: dict) -> list[dict]:
    links = item.get("links")
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def as_text(item: dict) -> str:
    """Indented JSON of an item."""
    return json.dumps(item, indent=1, ensure_ascii=False) + "\n"
