"""`tiles`: the training set."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from wildlens.legend import CORINE
from wildlens.settings.section import Section
from wildlens.settings.types import CorineCodes, Fraction, GroupName, Seed, Share

# names of the labels 0 and 1; other_classes take the labels from 2 on
TWO_CLASSES = ("anthropogenic", "protected")


def classes_in_order(names: Sequence[str]) -> list[tuple[int, str]]:
    """(label, name) of classes as people read them: protected, anthropogenic, then the others."""
    return [(label, names[label]) for label in (1, 0, *range(2, len(names)))]


class TileClass(Section):
    """What tiles of a further class hold."""

    codes: Annotated[CorineCodes, Field(min_length=1)] = Field(
        description="CORINE codes of the class; 1 or 14 is the whole group"
    )
    min_share: Fraction = Field(
        0.5, description="A tile is of the class from this share of these codes on"
    )


class Tiles(Section):
    """From scenes, land cover and protected areas to a training set."""

    size: int = Field(128, ge=32, le=1024, multiple_of=4, description="Tile side, px")
    categories: list[Literal["Ia", "Ib", "II", "III", "IV", "V", "VI"]] = Field(
        ["Ia", "Ib", "II"], min_length=1, description="IUCN categories that count as protected"
    )
    statuses: list[str] = Field(
        ["Designated", "Inscribed", "Established"], description="WDPA statuses that count"
    )
    realms: list[Literal["Terrestrial", "Coastal", "Marine"]] = Field(
        ["Terrestrial", "Coastal", "Marine"], min_length=1, description="Realms of sites that count"
    )
    oecm: bool = Field(
        False,
        description="Whether other effective conservation measures (OECM) count as protected, of"
        " any category",
    )
    protected_min_share: Fraction = Field(
        0.98, description="A tile is protected from this share of its area inside protected areas"
    )
    anthropogenic_classes: CorineCodes = Field(
        [c.code for c in CORINE.classes if c.code < 300],
        description="CORINE codes that count as anthropogenic; 1 or 14 is the whole group",
    )
    anthropogenic_min_share: Fraction = Field(
        0.10, description="A tile is anthropogenic from this share of these classes on"
    )
    unprotected_max_share: Share = Field(
        0.0, description="... provided that no more than this share of it is protected"
    )
    other_classes: dict[GroupName, TileClass] = Field(
        {},
        description="Further classes by name, of tiles that are neither protected (see"
        " unprotected_max_share) nor anthropogenic; the first that fits counts",
    )
    max_missing: Share = Field(
        0.05, description="Tiles with a larger share of no data are left out"
    )
    block_km: float = Field(5.12, gt=0, le=500, description="Side of the blocks of the split, km")
    validation: Fraction = Field(0.12, description="Share of the tiles for validation")
    test: Fraction = Field(0.18, description="Share of the tiles for test")
    distance_m: float = Field(
        0.0,
        ge=0,
        description="Tiles nearer than this to a tile of a stricter split are left out, m",
    )
    balance: float | None = Field(
        None,
        ge=1,
        le=1000,
        description="Training has at most this many times the tiles of its rarest class of any"
        " other, chosen at random; null: all. Validation and test keep theirs",
    )
    seed: Seed = Field(0, description="Seed of the split, and of what balance leaves out")
    split: Literal["given", "areas"] = Field(
        "given",
        description="AnthroProtect: its own split, or each area whole in one split (then"
        " distance_m holds, too)",
    )

    @model_validator(mode="after")
    def _something_is_left_for_training(self):
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must leave a share for training")
        return self

    @model_validator(mode="after")
    def _names_are_free(self):
        for name in (*TWO_CLASSES, "unlabelled"):
            if name in self.other_classes:
                raise ValueError(f"other_classes: '{name}' is taken, choose another name")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes; a tile's label is the place of its class in them."""
        return (*TWO_CLASSES, *self.other_classes)
