"""Products of the simulated region: names, locations and dates.

Names only, from the standard library, since the workflow needs them before heavy imports.
"""

from dataclasses import dataclass
from pathlib import Path

CORINE_NAME = "U2018_CLC2018_V2020_20u1_demo.tif"
AREAS_NAME = "WDPA_WDOECM_demo.gpkg"
AREAS_LAYER = "WDPA_WDOECM_demo_poly"
TRUTH_FOLDER = "truth"


@dataclass(frozen=True)
class DemoProduct:
    """One simulated Sentinel-2 product.

    Its corner is anchored so that no two scenes of one date overlap.
    """

    name: str  # as ESA names products, with .SAFE
    anchor: tuple[int, int]  # UTM easting and northing in metres of the corner it hangs on
    corner: str  # which of its corners that is: "upper left", "upper right", ...
    orbit: int  # absolute orbit number
    mapping: bool = False  # only mapped, not used for training
    orbit_edge: bool = False  # partly outside the swath
    date: int = 0  # number of a later date of ground that another product shows at date 0

    @property
    def tile(self) -> str:
        """MGRS tile with its T, such as T34WDA."""
        return self.name.split("_")[5]

    @property
    def scene(self) -> str:
        """Name of its scene and reference land cover: the tile, of a later date with the year."""
        return f"{self.tile}_{self.name.split('_')[2][:4]}" if self.date else self.tile

    @property
    def epsg(self) -> int:
        """UTM zone north of the tile."""
        return 32600 + int(self.tile[1:3])

    @property
    def baseline(self) -> str:
        """Processing baseline, such as 02.08."""
        digits = self.name.split("_")[3]
        return f"{digits[1:3]}.{digits[3:5]}"

    @property
    def has_offset(self) -> bool:
        """From 04.00 on, ESA adds 1000 to every valid DN."""
        return self.baseline >= "04.00"

    def upper_left(self, size: int) -> tuple[int, int]:
        """Easting and northing in metres of the upper left corner of a scene of `size` pixels."""
        easting, northing = self.anchor
        vertical, horizontal = self.corner.split()
        return (
            easting - 10 * size * (horizontal == "right"),
            northing + 10 * size * (vertical == "lower"),
        )


# real granules of Finnish and Norwegian Lapland; scenes meet where their granules do, 2 km apart
PRODUCTS = (
    DemoProduct(
        "S2A_MSIL2A_20180712T102021_N0208_R065_T34WDA_20180712T134159.SAFE",
        (498_960, 7_599_000),
        "upper right",
        15949,
    ),
    DemoProduct(
        "S2B_MSIL2A_20190724T102029_N0213_R065_T34WEA_20190724T131520.SAFE",
        (501_000, 7_599_000),
        "upper left",
        12434,
        orbit_edge=True,
    ),
    DemoProduct(
        "S2A_MSIL2A_20220710T101611_N0400_R065_T34WDB_20220710T163204.SAFE",
        (498_960, 7_601_040),
        "lower right",
        36820,
    ),
    DemoProduct(
        "S2B_MSIL2A_20230719T100559_N0509_R022_T35WMT_20230719T113805.SAFE",
        (498_960, 7_701_000),
        "lower right",
        33268,
    ),
    DemoProduct(
        "S2A_MSIL2A_20230723T101601_N0509_R065_T35WNT_20230723T150312.SAFE",
        (501_000, 7_701_000),
        "lower left",
        42226,
        mapping=True,
    ),
    DemoProduct(
        "S2A_MSIL2A_20250722T101601_N0511_R065_T35WNT_20250722T151233.SAFE",
        (501_000, 7_701_000),
        "lower left",
        52636,
        mapping=True,
        date=1,
    ),
)


def product_paths(root: Path | str, *, mapping: bool | None = None) -> list[Path]:
    """Paths of the products under `root`; with `mapping`, only those that are (not) just mapped."""
    return [Path(root) / p.name for p in PRODUCTS if mapping is None or p.mapping == mapping]


def truth_paths(root: Path | str) -> list[Path]:
    """Paths of the reference land cover of the products, in their order."""
    return [Path(root) / TRUTH_FOLDER / f"{p.scene}.tif" for p in PRODUCTS]


def corine_path(root: Path | str) -> Path:
    """Path of the land-cover raster."""
    return Path(root) / CORINE_NAME


def areas_path(root: Path | str) -> Path:
    """Path of the protected areas."""
    return Path(root) / AREAS_NAME


def all_paths(root: Path | str) -> list[Path]:
    """Everything that the demo writes: SAFE folders and files."""
    return [*product_paths(root), *truth_paths(root), corine_path(root), areas_path(root)]
