"""Results that the page to explore shows: two mapped scenes, with texts that could be markup."""

from pathlib import Path

import geopandas
import numpy as np
import shapely
from attributed import BOG, FOREST, ROCK, TRAINED_ON, grid_at
from result_folder import BANDS, degrees, write_stack

from wildlens.files.cog import writing_cog
from wildlens.files.geopackage import write_layer
from wildlens.files.origin import TAG

SHAPE = (120, 150)
# a file's name cannot hold a slash; an area's name can
SCENES = ("lake", "<img src=x onerror=hacked=1>")
AREA = "</script><script>hacked=1</script>$$x^2$$ {{7*7}} ${hacked=1} <b>Fell</b>"


class Explorable:
    """Scenes, land cover, maps and areas; `values[scene][method]` are the maps' values."""

    def __init__(self, folder: Path, shape: tuple[int, int] = SHAPE):
        rng = np.random.default_rng(7)
        at = (folder / "results").joinpath
        self.scenes, self.landcovers, self.maps, self.values = [], [], [], {}
        self.classes, self.stored = {}, {}
        for name in SCENES:
            stored = rng.integers(100, 2500, (4, *shape)).astype(np.uint16)
            stored[:, :20, :30] = 0
            classes = rng.choice([0, BOG, ROCK, FOREST], (1, *shape)).astype(np.uint8)
            self.scenes.append(write_stack(at(f"scenes/{name}.tif"), stored, BANDS, "uint16"))
            self.landcovers.append(
                write_stack(at(f"landcover/{name}.tif"), classes, ["CORINE"], "uint8")
            )
            raised = np.where(stored > 0, stored + 200, 0).astype(np.uint16)
            tags = {**tags_of(name, "maximized"), "wildlens_form": "image"}
            path = at(f"maps/{name}/maximized.tif")
            self.maps.append(write_stack(path, raised, BANDS, "uint16", tags))
            target = np.isin(classes[0], [BOG, ROCK])
            high = rng.gamma(2, 0.01, shape) + 0.02 * target
            of_methods = {
                "gan": high,
                "occlusion": rng.normal(0, 1, shape) + target,
                "score": rng.random(shape),
            }
            self.values[name] = {
                method: np.where(stored[0] > 0, values, np.nan).astype(np.float32)
                for method, values in of_methods.items()
            }
            for method, values in self.values[name].items():
                self.maps.append(write_map(at(f"maps/{name}/{method}.tif"), name, method, values))
            self.classes[name], self.stored[name] = classes[0], stored
        box = degrees(grid_at(500_000, stored[0]))
        self.areas = at("areas.gpkg")
        parts = box.buffer(-0.003), box.buffer(0.01)
        sites = {"name": [AREA, "Lake"], "category": ["Ia", "II"], "area_km2": [12.3, 4.0],
                 "score_mean": [0.93, None], "gan_mean": [0.0123, 2.0],
                 "geometry": [parts[0], shapely.Polygon(parts[1].exterior, [parts[0].exterior])],
                 }  # fmt: skip
        write_layer(self.areas, geopandas.GeoDataFrame(sites, crs=4326), "areas")
        self.output = at("explore.html")

    @property
    def arguments(self) -> dict:
        """All of it, as `build_page` takes it, except the settings."""
        names = ("scenes", "landcovers", "maps", "areas", "output")
        return {name: getattr(self, name) for name in names}


def tags_of(scene: str, method: str) -> dict[str, str]:
    units = {"gan": "reflectance", "occlusion": "logit", "score": "score"}
    return {"wildlens_scene": scene, "wildlens_method": method, TAG: TRAINED_ON,
            "unit": units.get(method, "reflectance x 10000")}  # fmt: skip


def write_map(path: Path, scene: str, method: str, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"tags": tags_of(scene, method), "descriptions": (method,)}
    with writing_cog(path, grid_at(500_000, values), **options) as dataset:
        dataset.write(values, 1)
    return path
