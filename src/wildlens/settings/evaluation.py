"""`evaluation`: target groups that attributions are compared with, and how."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from wildlens.legend import CORINE
from wildlens.settings.section import Section
from wildlens.settings.types import CorineCodes, Fraction, GroupName, Seed, Share


class Evaluation(Section):
    """Comparison of attributions with land cover, and tests of faithfulness."""

    targets: CorineCodes = Field(
        [411, 412, 332, 333, 335],
        min_length=1,
        description="CORINE codes of the target group: wetlands and bare land; 41 is both marshes"
        " and bogs",
    )
    groups: dict[GroupName, Annotated[CorineCodes, Field(min_length=1)]] = Field(
        {
            "wetlands": [411, 412],
            "bare, strict": [332, 335],
            "bare, wide": [331, 332, 333, 334, 335],
            "heath": [322],
        },
        description="Further groups by name, each compared separately: groups.csv",
    )
    top_shares: list[Fraction] = Field(
        [0.1, 0.25],
        description="Rules beside the validation threshold: at most this share of each tile is"
        " high",
    )
    faithfulness_tiles: int = Field(
        32, ge=0, description="Test tiles of the insertion and deletion curves; 0: none"
    )
    faithfulness_steps: int = Field(
        20, ge=1, le=1000, description="Steps in which a tile is deleted or inserted"
    )
    faithfulness_fill: Literal["neutral", "zero", "mean", "blurred"] = Field(
        "neutral",
        description="Value of deleted pixels: reflectance 0, band means, the blurred tile; or"
        " neutral: zero or mean, whose score is nearer to 0.5",
    )
    order_margin: Share = Field(0.05, description="Margin of the score for the order X- < X < X+")
    noise: float = Field(
        0.002,
        ge=0,
        le=1,
        description="Hidden signals: sd of the noise added to images, reflectance",
    )
    blur: float = Field(0.7, ge=0, le=10, description="Hidden signals: sd of the blur, px")
    seed: Seed = Field(
        0, description="Seed of the faithfulness tiles, of the order of equal values, and of noise"
    )

    @model_validator(mode="after")
    def _groups_are_others(self):
        if "targets" in self.groups:
            raise ValueError("a group cannot be called 'targets': that is the target group's name")
        return self

    @model_validator(mode="after")
    def _codes_exist(self):
        for code in [*self.targets, *itertools.chain(*self.groups.values())]:
            try:
                CORINE.index_of(code)
            except KeyError:
                raise ValueError(f"{code} is no CORINE code") from None
        return self
