"""`inputs`: the products, land cover and protected areas that the chain reads."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from os.path import normpath
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from wildlens.settings.section import Section
from wildlens.settings.types import Address, Clip, MgrsTile, Name

DEMO = "resources/demo/"  # output of the step demo
FETCHED = "resources/fetched"  # fetched products, each in a folder of its name
OF_WORKFLOW = ("members", "parts")  # in results/maps, beside the folders of the scenes


class FetchRequest(Section):
    """The product to fetch: the clearest of an area and time, or one STAC item."""

    box: Clip | None = Field(
        None, description="The area: west, south, east, north in degrees; it is fetched whole"
    )
    polygons: str | None = Field(
        None,
        description="The area as a file of polygons: their box is fetched",
    )
    dates: tuple[date, date] | None = Field(None, description="First and last day, YYYY-MM-DD")
    max_cloud: float = Field(
        30,
        ge=0,
        le=100,
        description="Products with more cloud cover, as the catalogue states it, are left out, %",
    )
    tile: MgrsTile | None = Field(
        None, description="Only products of this tile of the Sentinel-2 grid, such as 34WDA"
    )
    item: Address | None = Field(
        None,
        description="Address of one STAC item, instead of a search; without an area, all of it",
    )

    @model_validator(mode="after")
    def _one_area_and_one_time(self):
        if self.box and self.polygons:
            raise ValueError("give the area as `box` or as `polygons`, not both")
        if self.box and (self.box[0] >= self.box[2] or self.box[1] >= self.box[3]):
            raise ValueError(
                "`box` is west, south, east, north in degrees; west < east, south < north"
            )
        if self.item:
            if self.dates or self.tile:
                raise ValueError("`item` names one product: leave out `dates` and `tile`")
        elif not (self.box or self.polygons) or not self.dates:
            raise ValueError(
                "give an area (`box` or `polygons`) and `dates`, or the address of an `item`"
            )
        if self.dates and self.dates[0] > self.dates[1]:
            raise ValueError("`dates` are the first and the last day, in this order")
        return self


class Product(Section):
    """One Sentinel-2 product and what belongs to it."""

    name: Name = Field(description="Short name; names the results")
    product: str | Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="Path of the product: SAFE folder or zip, STAC item, GeoTIFF, or band folder;"
        " or a list of products of one date, which become one scene",
    )
    scl: str | list[str] | None = Field(
        None,
        description="Raster of the scene classification (SCL), where the product has none; of a"
        " list of products, one for each",
    )
    fetch: FetchRequest | None = Field(
        None, description="What to fetch from a catalogue, instead of `product`"
    )
    offset: int | list[int] | None = Field(
        None,
        description="DN to add to every valid pixel, where the product has no metadata to say so;"
        " of a list of products, one for all or one for each",
    )
    clip: Clip | None = Field(
        None,
        description="West, south, east, north in degrees: the part of the product that is used",
    )
    landcover: str | None = Field(None, description="Its own land cover, instead of the common one")
    truth: str | None = Field(
        None, description="Reference land cover on its grid (simulated land only)"
    )

    @property
    def paths(self) -> list[str]:
        """Paths of all products of the scene, also of those still to be fetched."""
        if self.product is None:
            return [f"{FETCHED}/{self.name}/item.json"]
        return [self.product] if isinstance(self.product, str) else self.product

    @property
    def simulated(self) -> bool:
        """Whether the demo makes it."""
        return all(path.startswith(DEMO) for path in self.paths)

    @property
    def scl_paths(self) -> list[str]:
        """None, or one scene classification for each product."""
        if self.scl is None:
            return []
        return [self.scl] if isinstance(self.scl, str) else self.scl

    @property
    def offsets(self) -> list[int]:
        """None, one for all products, or one for each."""
        if self.offset is None:
            return []
        return self.offset if isinstance(self.offset, list) else [self.offset]

    @field_validator("name")
    @classmethod
    def _name_is_no_folder_of_the_workflow(cls, name: str) -> str:
        """Also where file systems ignore case."""
        if name.casefold() in OF_WORKFLOW:
            raise ValueError(
                f"results/maps/{name.casefold()} is a folder of temporary maps of all scenes:"
                " choose another name"
            )
        return name

    @model_validator(mode="after")
    def _is_here_or_fetched(self):
        if (self.product is None) == (self.fetch is None):
            raise ValueError("give either `product` (a path) or `fetch` (what to look for)")
        return self

    @model_validator(mode="after")
    def _one_for_each_product(self):
        if isinstance(self.offset, list) and len(self.offset) != len(self.paths):
            raise ValueError(
                f"{len(self.offset)} offsets for {len(self.paths)} products: give one for all, or"
                " one for each"
            )
        if self.scl_paths and len(self.scl_paths) != len(self.paths):
            raise ValueError(
                f"{len(self.scl_paths)} files of `scl` for {len(self.paths)} products: give one"
                " for each"
            )
        if twice := _repeated(normpath(path) for path in self.paths):
            raise ValueError(f"`product` lists {', '.join(twice)} twice: leave one out")
        return self


def _repeated(values: Iterable[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if count > 1)


class Inputs(Section):
    """Inputs of the chain. Paths are relative to the working directory."""

    training: list[Product] = Field(
        [], description="Products the tiles are cut from; none with `models`"
    )
    mapping: list[Product] = Field([], description="Products that are mapped")
    landcover: str | None = Field(
        None,
        description="Land cover that covers all products (CORINE raster); needed for training,"
        " optional for maps",
    )
    areas: str | None = Field(
        None,
        description="Protected areas (WDPA polygons); needed for training, optional for maps",
    )

    def landcover_of(self, product: Product) -> str | None:
        """Land cover of a product: its own, or the common one; None without either.

        The demo's covers only the demo's products: a configuration laid over it may leave it in
        place.
        """
        common = self.landcover
        if common and common.startswith(DEMO) and not product.simulated:
            common = None
        return product.landcover or common

    @model_validator(mode="after")
    def _names_are_unique(self):
        """Also where file systems ignore case: names become names of files."""
        names = [p.name for p in [*self.training, *self.mapping]]
        if twice := _repeated(names):
            raise ValueError(f"two products have the same name: {', '.join(twice)}")
        if alike := _repeated(name.casefold() for name in names):
            found = ", ".join(name for name in names if name.casefold() in alike)
            raise ValueError(
                f"names of products differ only by upper and lower case ({found}): rename one"
            )
        return self

    @model_validator(mode="after")
    def _truth_is_known_of_all_or_none(self):
        """One training set holds it of all its tiles, or of none."""
        lacking = [product.name for product in self.training if not product.truth]
        if 0 < len(lacking) < len(self.training):
            raise ValueError(
                f"`training` gives `truth` for some products but not for {', '.join(lacking)}:"
                " give it for each, or for none"
            )
        return self

    @model_validator(mode="after")
    def _ground_is_trained_on_once(self):
        used = Counter(
            (normpath(path), product.clip) for product in self.training for path in product.paths
        )
        twice = sorted({path for (path, _), count in used.items() if count > 1})
        if twice:
            raise ValueError(
                f"two products of `training` use {', '.join(twice)}: its tiles would count twice"
            )
        return self
