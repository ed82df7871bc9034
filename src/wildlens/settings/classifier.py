"""`classifier`: the network that is explained, and its training."""

from typing import Annotated, Literal

from pydantic import Field

from wildlens.settings.section import Section
from wildlens.settings.types import PRECISION, GroupName, Precision, Seed, Share


class Classifier(Section):
    """The network that is explained, and its training."""

    architecture: Literal["unet", "local"] = Field(
        "local",
        description="unet: the form of the paper's reference [3]; local: pooled local evidence",
    )
    target: GroupName = Field(
        "protected",
        description="The class that is explained: its logit against all others; generators learn"
        " on its tiles, and these are attributed",
    )
    width: int = Field(16, ge=1, le=256, description="Channels of the first level")
    depth: int = Field(3, ge=1, le=6, description="unet: halvings of the U-Net")
    maps: int = Field(3, ge=1, le=64, description="unet: full-size tanh maps between the two parts")
    strides: list[Annotated[int, Field(ge=1, le=4)]] = Field(
        [2, 3, 2],
        min_length=1,
        description="unet: strides of the 5x5 convolutions (paper: 3, 3, 3)",
    )
    dropout: Share = Field(0.1, description="unet: dropout in the head")
    pixel_occlusion: Share = Field(0.2, description="unet: share of pixels of the maps dropped")
    epochs: int = Field(12, ge=1, le=10_000, description="Passes over the training tiles")
    batch_size: int = Field(32, ge=1, le=4096, description="Tiles in a batch")
    max_rate: float = Field(0.01, gt=0, le=1, description="Highest rate of the one-cycle schedule")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Of AdamW")
    cutmix: Share = Field(0.9, description="Share of the batches that are mixed")
    cutmix_form: Literal["box", "strip"] = Field(
        "box",
        description="What is pasted: a box of any other tile (CutMix as published), or a strip"
        " along an edge of a tile of another class (reference [3]'s own)",
    )
    precision: Precision = Field("float32", description=PRECISION)
    seed: Seed = Field(0, description="Seed of weights, batches and mixing")
