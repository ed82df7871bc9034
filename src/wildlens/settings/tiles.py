"""`tiles`: how the training set is made."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from wildlens.legend import CORINE
from wildlens.settings.section import Section
from wildlens.settings.types import CorineCodes, Fraction, GroupName, Seed, Share

# names of the labels 0 and 1; other_classes take the labels from 2 on
TWO_CLASSES = ("anthropogenic", "protected")
# columns of every training set; each of other_classes has one, too
SHARES = ("protected_share", "anthropogenic_share", "missing_share")


def share_of(name: str) -> str:
    """Name of the column with the share of one of `tiles.other_classes`."""
    return f"{name}_share"


def classes_in_order(names: Sequence[str]) -> list[tuple[int, str]]:
    """(label, name) of classes in the order of tables: protected, anthropogenic, others."""
    return [(label, names[label]) for label in (1, 0, *range(2, len(names)))]


class TileClass(Section):
    """A further class of tiles."""

    codes: Annotated[CorineCodes, Field(min_length=1)] = Field(
        description="CORINE codes of the class; 1 or 14 is the whole group"
    )
    min_share: Fraction = Field(
        0.5, description="Least share of these codes in a tile of the class"
    )


class Tiles(Section):
    """Labels and split of the tiles, from land cover and protected areas."""

    size: int = Field(128, ge=32, le=1024, multiple_of=4, description="Tile side, px")
    categories: list[Literal["Ia", "Ib", "II", "III", "IV", "V", "VI"]] = Field(
        ["Ia", "Ib", "II"], min_length=1, description="IUCN categories that count as protected"
    )
    statuses: list[str] = Field(
        ["Designated", "Inscribed", "Established"],
        description="WDPA statuses that count as protected",
    )
    realms: list[Literal["Terrestrial", "Coastal", "Marine"]] = Field(
        ["Terrestrial", "Coastal", "Marine"],
        min_length=1,
        description="Realms of sites that count as protected",
    )
    oecm: bool = Field(
        False,
        description="Whether other effective conservation measures (OECM) count as protected, of"
        " any category",
    )
    protected_min_share: Fraction = Field(
        0.98, description="Least share of a protected tile's area inside protected areas"
    )
    anthropogenic_classes: CorineCodes = Field(
        [c.code for c in CORINE.classes if c.code < 300],
        description="CORINE codes that count as anthropogenic; 1 or 14 is the whole group",
    )
    anthropogenic_min_share: Fraction = Field(
        0.10, description="Least share of these classes in an anthropogenic tile"
    )
    unprotected_max_share: Share = Field(
        0.0, description="Largest share inside protected areas of a tile of any other class"
    )
    other_classes: dict[GroupName, TileClass] = Field(
        {},
        description="Further classes by name, for tiles that are neither protected (see"
        " unprotected_max_share) nor anthropogenic; the first match counts",
    )
    max_missing: Share = Field(
        0.05, description="Largest share of no data in a tile; others are left out"
    )
    block_km: float = Field(
        5.12, gt=0, le=500, description="Side of the spatial blocks of the split, km"
    )
    validation: Fraction = Field(0.12, description="Share of the tiles for validation")
    test: Fraction = Field(0.18, description="Share of the tiles for test")
    distance_m: float = Field(
        0.0,
        ge=0,
        description="Training tiles nearer than this to a validation or test tile, and validation"
        " tiles nearer to a test tile, are dropped, m",
    )
    balance: float | None = Field(
        None,
        ge=1,
        le=1000,
        description="Largest ratio of a class's training tiles to those of the rarest class; the"
        " surplus is dropped at random. null: no limit. Validation and test are unaffected",
    )
    seed: Seed = Field(0, description="Seed of the split and of what balance drops")
    split: Literal["given", "areas"] = Field(
        "given",
        description="AnthroProtect: its own split, or each area in one split (then distance_m"
        " applies)",
    )

    @model_validator(mode="after")
    def _something_is_left_for_training(self):
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must leave a share for training")
        return self

    @model_validator(mode="after")
    def _names_are_free(self):
        """Also where case is ignored: names become columns of a GeoPackage."""
        seen = {}
        for name in self.other_classes:
            key = name.casefold()
            if key in (*TWO_CLASSES, "unlabelled") or share_of(key) in SHARES:
                raise ValueError(f"other_classes: '{name}' is reserved, choose another name")
            if other := seen.get(key):
                raise ValueError(
                    f"other_classes: '{other}' and '{name}' differ only by upper and lower case:"
                    " rename one"
                )
            seen[key] = name
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes; a tile's label is the position of its class."""
        return (*TWO_CLASSES, *self.other_classes)
