"""`gan`: the pattern-maximizer and the pattern-minimizer, and their training."""

from typing import Literal

from pydantic import Field, model_validator

from wildlens.settings.section import Section
from wildlens.settings.types import PRECISION, Members, Precision, Seed, Share


class Gan(Section):
    """Pattern-maximizer and pattern-minimizer, and their training."""

    blocks: int = Field(12, ge=1, le=64, description="Residual blocks of a generator")
    width: int = Field(8, ge=1, le=256, description="Channels of a generator at full size")
    downsamplings: int = Field(
        1, ge=0, le=4, description="Downsamplings by 2 before the residual blocks"
    )
    discriminator_width: int = Field(
        8, ge=1, le=256, description="Channels of the discriminators' first layer"
    )
    activation: Literal["score", "local"] = Field(
        "score",
        description="What activation maximisation acts on: the score of the image (paper), or the "
        "local logits of a classifier that has them (local)",
    )
    activation_margin: float | None = Field(
        None,
        ge=-100,
        le=100,
        description="Logit margin at which the activation-maximisation loss is clamped; negative: "
        "it stops before the decision boundary. null: not clamped (paper)",
    )
    lambda_am: float = Field(
        0.3, ge=0, le=100, description="Weight of activation maximisation (paper: 0.3)"
    )
    lambda_sim: float = Field(1.0, ge=0, le=100, description="Weight of the similarity loss")
    lambda_inactive: float = Field(
        0.0,
        ge=0,
        le=100,
        description="Extra similarity weight where activation maximisation is inactive, that is "
        "where its loss is clamped (paper: 0)",
    )
    lambda_tv: float = Field(
        8.0,
        ge=0,
        le=100,
        description="Weight of the total variation of the change, against stripes (paper: 0)",
    )
    lambda_cyc: float = Field(1.0, ge=0, le=100, description="Weight of the cycle loss")
    lambda_adv: float = Field(1.0, ge=0, le=100, description="Weight of the adversarial loss")
    similarity: Literal["l1", "frobenius"] = Field(
        "l1",
        description="Distance of the similarity loss: L1 (the paper's text), or the root mean"
        " square of each image (its equation 2)",
    )
    adversarial: Literal["square", "cross_entropy"] = Field(
        "square",
        description="Adversarial loss of the generators: squared error (the paper's equation 4), or"
        " cross entropy (its text)",
    )
    loss_unit: Literal["standardised", "reflectance"] = Field(
        "standardised", description="Unit of the two L1 losses (paper: reflectance)"
    )
    pretraining_steps: int = Field(30, ge=0, description="Steps without activation maximisation")
    ramp_steps: int = Field(30, ge=0, description="Steps over which lambda_am then rises linearly")
    steps: int = Field(600, ge=1, description="Number of steps, pre-training included")
    batch_size: int = Field(2, ge=1, le=512, description="Tiles per batch")
    crop: int | None = Field(
        None,
        ge=32,
        multiple_of=4,
        description="Side of random crops of the tiles, px; null: whole tiles",
    )
    restarts: int = Field(
        2,
        ge=0,
        le=10,
        description="Further trainings, each with three times the lambda_am of the one before, "
        "while the scores of X+ and X- do not separate (paper: 0)",
    )
    rate: float = Field(1e-3, gt=0, le=1, description="Learning rate of Adam until decay_from")
    decay_from: Share = Field(
        0.3, description="Share of the steps after which the rate falls linearly to 0"
    )
    averaging: float = Field(
        0.98, ge=0, lt=1, description="Decay of the exponential moving average of the weights"
    )
    mixed: Share = Field(
        0.0,
        description="Share of the batches in which cells of tiles of any class are pasted into the"
        " tiles of the target class, as whole scenes have them side by side (paper: 0)",
    )
    statistics_tiles: int = Field(
        256,
        ge=0,
        description="Training tiles over which the batch statistics of the averaged generators are"
        " computed anew at the end; 0: their running means are kept (paper)",
    )
    precision: Precision = Field("float32", description=PRECISION)
    seed: Seed = Field(0, description="Seed of weights, batches and crops")
    members: Members = Field(
        1,
        exclude=True,
        description="Number of trainings that differ by their seed, whose maps are averaged; the"
        " first has `seed`. With several classifiers: as many, each through its own",
    )

    @model_validator(mode="after")
    def _phases_fit(self):
        if self.pretraining_steps >= self.steps:
            raise ValueError("pretraining_steps must be fewer than steps")
        return self

    @model_validator(mode="after")
    def _inactive_needs_a_margin(self):
        if self.lambda_inactive and self.activation_margin is None:
            raise ValueError(
                "lambda_inactive must be 0 if activation_margin is null: activation maximisation "
                "is never inactive"
            )
        return self
