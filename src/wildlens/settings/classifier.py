"""`classifier`: the network that is explained, and its training."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from wildlens.errors import did_you_mean
from wildlens.registry import classifiers
from wildlens.settings.section import Section
from wildlens.settings.types import PRECISION, GroupName, Members, Precision, Seed, Share


def _known(name: str) -> str:
    if name not in classifiers.records():
        raise ValueError(f"unknown architecture{did_you_mean(name, classifiers.records())}")
    return name


BUILT_IN = [record.name for record in classifiers.BUILT_IN]
ArchitectureName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": BUILT_IN})
]
Option = bool | int | float | str


class Classifier(Section):
    """The network that is explained, and its training."""

    architecture: ArchitectureName = Field(
        "unet",
        description="unet: the form of the paper's reference [3]; local: mean of local logits; or"
        " an architecture of another package",
    )
    options: dict[str, Option | list[Option]] = Field(
        {}, description="Arguments of an architecture of another package"
    )
    target: GroupName = Field(
        "protected",
        description="Class that is explained, by its logit against all others; generators are"
        " trained on its tiles, and its tiles are attributed",
    )
    width: int = Field(8, ge=1, le=256, description="Channels of the first level")
    depth: int = Field(3, ge=1, le=6, description="unet: downsamplings by 2 of the U-Net")
    maps: int = Field(
        3, ge=1, le=64, description="unet: number of full-size tanh maps between U-Net and head"
    )
    strides: list[Annotated[int, Field(ge=1, le=4)]] = Field(
        [2, 3, 2],
        min_length=1,
        description="unet: strides of the 5x5 convolutions (paper: 3, 3, 3)",
    )
    dropout: Share = Field(0.1, description="unet: dropout in the head")
    pixel_occlusion: Share = Field(0.2, description="unet: share of pixels of the maps dropped")
    epochs: int = Field(36, ge=1, le=10_000, description="Passes over the training tiles")
    batch_size: int = Field(32, ge=1, le=4096, description="Tiles per batch")
    max_rate: float = Field(
        0.01, gt=0, le=1, description="Maximum learning rate of the one-cycle schedule"
    )
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Weight decay of AdamW")
    cutmix: Share = Field(0.9, description="Share of the batches with CutMix")
    cutmix_form: Literal["box", "strip"] = Field(
        "box",
        description="Pasted part: a box of any other tile (CutMix as published), or a strip along"
        " an edge of a tile of another class (reference [3])",
    )
    cutmix_cells: Share = Field(
        0.5,
        description="Share of the mixed batches that are mixed in small pieces instead: each cell"
        " of 16, 32 or 64 px is the tile's, another's or blank (paper: 0)",
    )
    cutmix_blank: Share = Field(
        0.2, description="Mean share of blank cells in them, which count for no class"
    )
    head_start: Literal["random", "mean"] = Field(
        "mean",
        description="unet: weights that the head starts with: random (paper), or those that make"
        " the logit a mean over the maps",
    )
    head_rate: float = Field(
        0.1, gt=0, le=10, description="unet: rate of the head as a multiple of max_rate (paper: 1)"
    )
    multiple_instance: float = Field(
        1.0,
        ge=0,
        le=100,
        description="unet: weight of a loss by which the maps are high only at patterns that tiles"
        " of other classes lack (paper: 0)",
    )
    restarts: int = Field(
        2,
        ge=0,
        le=100,
        description="Further trainings, from other weights, while the classifier is at chance or"
        " uses absent patterns (metrics/classifier/evidence.csv)",
    )
    min_presence: float = Field(
        0.4,
        ge=-1000,
        le=1,
        description="unet: least share of the target in the classifier's evidence; below it, the"
        " classifier uses absent patterns, and training starts anew or warns (paper: no check)",
    )
    precision: Precision = Field("float32", description=PRECISION)
    seed: Seed = Field(0, description="Seed of weights, batches and CutMix")
    members: Members = Field(
        1,
        exclude=True,
        description="Number of trainings that differ by their seed, whose maps are averaged; the"
        " first has `seed`",
    )

    @model_validator(mode="after")
    def _options_go_to_another_package(self):
        if self.options and self.architecture in BUILT_IN:
            raise ValueError(
                f"options: architecture '{self.architecture}' takes none; its settings are those of"
                " this section"
            )
        return self
