"""Tests of the table of protected sites with the reasons why some are left out."""

import logging

import geopandas
import pandas
import shapely
from tile_region import (
    one_scene,
    settings,
)

from wildlens.tiles.step import build_tiles


def test_site_table_gives_the_reason_for_each_site(tmp_path, caplog):
    region = one_scene(tmp_path)
    table = geopandas.read_file(region.areas)
    table["NAME"] = ["Bois De Nèfles", "", "Sea, coast", "x", "y", "z"]
    table["IUCN_CAT"] = ["Ib", "IV", "IV", "Ib", "Not Reported", "Ib"]
    table["STATUS"] = [
        "Designated",
        "Designated",
        "Proposed",
        "Proposed",
        "Designated",
        "Designated",
    ]
    table["DESIG_ENG"] = ["Reserve"] * 5 + ["UNESCO-MAB Biosphere Reserve"]
    first = table.loc[0].to_dict()
    table.loc[6] = first | {"WDPAID": 6, "geometry": shapely.box(10, 10, 11, 11)}
    table.loc[7] = first | {"WDPAID": 7, "geometry": first["geometry"].centroid}
    region.areas.unlink()
    geopandas.GeoDataFrame(table, crs=4326).to_file(region.areas)
    caplog.set_level(logging.INFO, "wildlens")
    path = region.folder / "results/sites.csv"
    build_tiles(
        region.scenes, region.landcovers, (), region.areas, region.output, region.footprints,
        settings(protected_min_share=0.5), path,
    )  # fmt: skip
    sites = pandas.read_csv(path, keep_default_na=False, dtype=str)
    assert list(sites) == ["site_id", "name", "category", "status", "realm", "designation", "kind",
                           "counts", "reason"]  # fmt: skip
    assert sites.set_index("site_id")["reason"].to_dict() == {
        "0": "",
        "1": "category IV (tiles.categories)",
        "2": "category IV (tiles.categories), status Proposed (tiles.statuses)",
        "3": "status Proposed (tiles.statuses)",
        "4": "category Not Reported (tiles.categories)",
        "5": "UNESCO-MAB reserve",
        "7": "no area",
    }
    assert sites["counts"].tolist() == ["yes", *["no"] * 6]
    assert sites["name"][0] == "Bois De Nèfles" and sites["name"][2] == "Sea, coast"
    lines = [m.partition(": ")[2] for m in caplog.messages if str(region.areas) in m]
    assert lines[0].startswith("1 of 7 sites count (Ib 1)")
    assert "1 left out, category IV (tiles.categories): 1" in lines
    assert "1 left out, UNESCO-MAB reserve: 5 z" in lines
    assert "1 left out, no area: 7 Bois De Nèfles" in lines
    assert len(lines) == 7
