"""A finished run: its settings, rasters, stores and tables, opened when they are asked for."""

from dataclasses import dataclass
from pathlib import Path

import geopandas
import pandas
import xarray

from wildlens.errors import WildLensError
from wildlens.files.map_tags import form_of_map
from wildlens.registry import methods
from wildlens.run import rasters, stores, tables
from wildlens.run.configuration import read_configuration
from wildlens.run.names import check_name
from wildlens.settings import Settings
from wildlens.summary.digest import read_summary
from wildlens.tiles.georeference import georeferenced
from wildlens.tiles.store import open_tiles

_CONTENT = ("scenes", "tiles.zarr", "maps", "models", "settings", "evaluation")


def open_run(folder: Path | str) -> "Run":
    """Open a folder of results; nothing in it is read yet, and nothing is ever written to it.

    Raises:
        WildLensError: there is no such folder, or it has no results.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise WildLensError(f"{folder}: is no folder of results: run snakemake, which makes it")
    if not any((folder / name).exists() for name in _CONTENT):
        inside = folder / "results"
        hint = f"open '{inside}'" if inside.is_dir() else "run snakemake, which makes them"
        raise WildLensError(f"{folder}: has no results of WildLens: {hint}")
    return Run(folder)


@dataclass(frozen=True)
class Run:
    """The results of a run.

    What does not exist, because a step has not run or a run has no such input, is an error of one
    line that names the command that makes it.

    Attributes:
        folder: the results.
    """

    folder: Path

    def __repr__(self) -> str:
        mapped = ", ".join(self.maps) or "none"
        return f"<wildlens.Run '{self.folder}': {len(self.scenes)} scenes, maps of {mapped}>"

    @property
    def settings(self) -> Settings:
        """The validated configuration."""
        return read_configuration(self.folder / "settings")

    @property
    def scenes(self) -> list[str]:
        """Names of the scenes."""
        return [path.stem for path in sorted(self.folder.glob("scenes/*.tif"))]

    @property
    def maps(self) -> dict[str, list[str]]:
        """Scene -> methods that it was mapped by, in the order of the tables."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.folder.glob("maps/*/*.tif")):
            if path.parent.name != "parts":  # of unfinished maps
                found.setdefault(path.parent.name, []).append(path.stem)
        return {scene: sorted(names, key=methods.position) for scene, names in found.items()}

    @property
    def changes(self) -> dict[str, list[str]]:
        """Two dates, as `{before}_{after}` -> methods whose maps were subtracted."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.folder.glob("compare/*/*.tif")):
            found.setdefault(path.parent.name, []).append(path.stem)
        return {dates: sorted(names, key=methods.position) for dates, names in found.items()}

    @property
    def attributions(self) -> list[str]:
        """Methods whose attribution of tiles there is, in the order of the tables."""
        names = [path.stem for path in self.folder.glob("attributions/*.zarr")]
        return sorted(names, key=methods.position)

    @property
    def tables(self) -> list[str]:
        """Names that `table` takes."""
        return list(tables.list_tables(self.folder))

    @property
    def warnings(self) -> list[str]:
        """Warnings of all steps and maps, one line each; empty without any."""
        return read_summary(self.folder).warnings

    def scene(self, name: str) -> xarray.DataArray:
        """Reflectance of a scene, (band, y, x) float32, NaN = no data; lazy.

        `band` has the names of the bands, `time` (UTC) the first acquisition where it is known.
        Saturated pixels are 6.5535.
        """
        check_name(name, self.scenes, self._at("scenes"), "scene", "'wildlens scene'")
        return rasters.open_bands(self.folder / "scenes" / f"{name}.tif")

    def map(self, scene: str, method: str, band: str | None = None) -> xarray.DataArray:
        """Map of a scene by a method, on the scene's grid; lazy.

        An attribution or a score is (y, x) float32 in its unit, NaN = no data; `maximized` and
        `minimized` are reflectance, (band, y, x), in the form of `scene`.

        Args:
            band: another band of an attribution or score: "disagreement", the range over the
                overlapping tiles (`maps` of methods that see whole tiles); of several members
                "member_sd" and "member_agreement", their standard deviation and the share of them
                that call a pixel high.
        """
        maps, make = self.maps, "'wildlens map'"
        check_name(scene, maps, self._at("maps"), "map of scene", make)
        check_name(method, maps[scene], self._at("maps", scene), "map by method", make)
        path = self.folder / "maps" / scene / f"{method}.tif"
        if form_of_map(path) == "image":
            return rasters.open_bands(path)
        title = methods.title(method)
        return rasters.open_layer(path, band or method, f"{title}, {band}" if band else title)

    def change(self, dates: str, method: str) -> xarray.DataArray:
        """Change of a map between two dates, (y, x) float32 in its unit, NaN = no data; lazy.

        It is the second date minus the first, on the grid that both scenes share.

        Args:
            dates: `{before}_{after}`, as `changes` lists them.
        """
        changes, make = self.changes, "'wildlens compare'"
        check_name(dates, changes, self._at("compare"), "change between dates", make)
        check_name(method, changes[dates], self._at("compare", dates), "change by method", make)
        path = self.folder / "compare" / dates / f"{method}.tif"
        return rasters.open_layer(path, "change", f"{methods.title(method)}, change")

    def landcover(self, scene: str) -> xarray.DataArray:
        """Land cover on a scene's grid, (y, x) uint8 index of the class, 0 = no data; lazy.

        The name of index i is `attrs["class_names"][i]`, such as "412 Peat bogs".
        """
        names = [path.stem for path in sorted(self.folder.glob("landcover/*.tif"))]
        make = "'wildlens landcover'"
        check_name(scene, names, self._at("landcover"), "land cover of scene", make)
        return rasters.open_classes(self.folder / "landcover" / f"{scene}.tif")

    def areas(self) -> geopandas.GeoDataFrame:
        """The protected areas with their statistics, in EPSG:4326; see `area_statistics.csv`."""
        return stores.read_areas(self.folder / "areas.gpkg")

    def tiles(self) -> xarray.Dataset:
        """The training set: `reflectance` (tile, band, y, x), `landcover` (tile, y, x); lazy."""
        path = self.folder / "tiles.zarr"
        if not path.is_dir():
            raise WildLensError(
                f"{path}: is missing: 'wildlens tiles' or 'wildlens anthroprotect' makes it"
            )
        return open_tiles(path, scaled=True)

    def tile(self, name: str) -> xarray.Dataset:
        """One tile of the training set with its own `x`, `y` and CRS, as rioxarray reads them."""
        tiles = self.tiles()
        names = tiles["name"].values.tolist()
        if name not in names:
            raise WildLensError(
                f"{self._at('tiles.zarr')}: has no tile '{' '.join(str(name).split())}'; its"
                " coordinate `name` lists them"
            )
        if "tile_x" not in tiles.coords:
            raise WildLensError(
                f"{self._at('tiles.zarr')}: does not state where its tiles are: make it again with"
                " 'wildlens tiles'"
            )
        return georeferenced(tiles.isel(tile=names.index(name)))

    def attribution(self, method: str) -> xarray.Dataset:
        """Attribution of validation and test tiles: `attribution` (tile, y, x), NaN = no data."""
        make = "'wildlens attribute'"
        where = self._at("attributions")
        check_name(method, self.attributions, where, "attribution by method", make)
        return stores.open_attribution(self.folder / "attributions" / f"{method}.zarr")

    def examples(self) -> xarray.Dataset:
        """Example tiles with generated images: `image` (tile, kind, band, y, x) reflectance.

        `kind` is "X", "X+" or "X-"; `score` (tile, kind) are the classifier's scores of them.
        """
        return stores.open_examples(self.folder / "evaluation" / "examples.npz")

    def table(self, name: str) -> pandas.DataFrame:
        """A table by name: `methods` is evaluation/methods.csv; see `tables` for all names."""
        return tables.read_table(self.folder, name)

    def _at(self, *names: str) -> str:
        return str(self.folder.joinpath(*names))
