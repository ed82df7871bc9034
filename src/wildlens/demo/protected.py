"""The protected areas, as a WDPA GeoPackage of the form of Protected Planet.

The protected zones of the scenes become strict reserves, wilderness areas and national parks.
Other sites must be left out by a reader: other categories, a proposal, a biosphere reserve.
"""

from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from shapely.geometry import Polygon, shape
from shapely.ops import unary_union

from wildlens.demo.region import AREAS_LAYER
from wildlens.files.geopackage import write_layer

BEYOND = 50  # px; protected land continues beyond the edge of a scene
TOLERANCE = 20.0  # m of simplification
INSET = 25.0  # m; more than the tolerance, so that outlines rarely leave the zone
EDGE = 1.0  # m kept from the zone's edge where a simplified outline would cut a corner
SMALLEST = 500_000.0  # m2; smaller patches of the zone are not sites
RADIUS = 1800.0  # m, of sites that must be left out
# category, designation, the same in English, year
KINDS = (
    ("II", "Kansallispuisto", "National Park", 1956),
    ("Ib", "Erämaa-alue", "Wilderness Area", 1991),
    ("Ia", "Luonnonpuisto", "Strict Nature Reserve", 1938),
)


@dataclass(frozen=True)
class Zones:
    """Outlines in one scene, in its CRS."""

    crs: str
    protected: list[Polygon]  # within the protected zone, largest first
    anthropogenic: list[Polygon]  # the anthropogenic zone itself, largest first
    unprotected: Polygon  # all that is not protected


def outline_zones(zone: np.ndarray, grid: GeoBox) -> Zones:
    """Vectorise the zones, int8 (H, W) of +1, 0, -1, of a scene."""
    padded = np.pad(zone, BEYOND, mode="edge")
    transform = grid.pad(BEYOND).affine
    found = {value: [] for value in (-1, 0, 1)}
    for geometry, value in shapes(padded.astype(np.int16), transform=transform):
        found[int(value)].append(shape(geometry))
    # tiles are labelled inside these outlines, so they must not extend beyond the zone
    inner = [p.buffer(-INSET).simplify(TOLERANCE).intersection(p.buffer(-EDGE)) for p in found[1]]
    parts = [part for p in inner for part in getattr(p, "geoms", [p]) if part.area >= SMALLEST]
    return Zones(
        crs=f"EPSG:{grid.crs.to_epsg()}",
        protected=sorted(parts, key=_size, reverse=True),
        anthropogenic=sorted(found[-1], key=_size, reverse=True),
        unprotected=unary_union(found[-1] + found[0]),
    )


def _size(polygon: Polygon) -> tuple[float, ...]:
    return (polygon.area, *polygon.bounds)


def write_areas(path: Path, scenes: list[Zones]) -> None:
    """Write all sites of all scenes as one layer in degrees."""
    sites = [site for zones in scenes for site in _counting_sites(zones)]
    # the largest are national parks; categories take turns, so that all three occur
    sites.sort(key=lambda site: -site["GIS_AREA"])
    for rank, site in enumerate(sites):
        category, name, english, year = KINDS[rank % len(KINDS)]
        site |= {"DESIG": name, "DESIG_ENG": english, "IUCN_CAT": category, "STATUS_YR": year}
    for zones in scenes:
        sites += _sites_to_leave_out(zones)
    frame = geopandas.GeoDataFrame(_complete(sites), crs="EPSG:4326")
    write_layer(path, frame, AREAS_LAYER)


def _counting_sites(zones: Zones) -> list[dict]:
    return [_site(polygon, zones.crs) for polygon in zones.protected]


def _sites_to_leave_out(zones: Zones) -> list[dict]:
    """Sites over other land that are no strictly protected nature, each wrong in one way."""
    if not zones.anthropogenic:
        return []
    near = [p.representative_point() for p in zones.anthropogenic[:3]]
    discs = [point.buffer(RADIUS) for point in near]
    kinds = [
        {"DESIG": "Suojelualue", "DESIG_ENG": "Habitat Management Area", "IUCN_CAT": "IV"},
        {"DESIG": "Maisema-alue", "DESIG_ENG": "Landscape Conservation Area", "IUCN_CAT": "V"},
        {"DESIG": "Erämaa-alue", "DESIG_ENG": "Wilderness Area", "IUCN_CAT": "Ib",
         "STATUS": "Proposed"},
    ]  # fmt: skip
    # where a scene has fewer pieces of anthropogenic land, sites share them
    sites = [
        _site(discs[i % len(discs)].intersection(zones.unprotected), zones.crs) | kind
        for i, kind in enumerate(kinds)
    ]
    reserve = {
        "DESIG": "UNESCO-MAB Biosphere Reserve",
        "DESIG_ENG": "UNESCO-MAB Biosphere Reserve",
        "DESIG_TYPE": "International",
        "IUCN_CAT": "Not Applicable",
    }
    return [*sites, _site(near[0].buffer(2.5 * RADIUS), zones.crs) | reserve]


def _site(geometry, crs: str) -> dict:
    """A designated site with its outline in degrees; GIS_AREA in km2."""
    degrees = geopandas.GeoSeries([geometry], crs=crs).to_crs("EPSG:4326").iloc[0]
    return {
        "DESIG_TYPE": "National",
        "MARINE": "0",
        "STATUS": "Designated",
        "STATUS_YR": 2003,
        "GIS_AREA": geometry.area / 1e6,
        "ISO3": "FIN",
        "geometry": degrees,
    }


def _complete(sites: list[dict]) -> list[dict]:
    """Number and name the sites, in the order of WDPA's columns."""
    rows = []
    for number, site in enumerate(sites, start=1):
        name = f"Demo {site['DESIG_ENG']} {number}"
        head = {
            "WDPAID": 900000.0 + number,
            "WDPA_PID": str(900000 + number),
            "PA_DEF": "1",
            "NAME": name,
            "ORIG_NAME": name.replace(site["DESIG_ENG"], site["DESIG"]),
        }
        order = ("DESIG", "DESIG_ENG", "DESIG_TYPE", "IUCN_CAT", "MARINE", "STATUS", "STATUS_YR",
                 "GIS_AREA", "ISO3", "geometry")  # fmt: skip
        rows.append(head | {column: site[column] for column in order})
    return rows
