"""`attribution`: the methods, and how scenes and tiles are attributed."""

from typing import Literal, get_args

from pydantic import Field, model_validator

from wildlens.settings.section import Section
from wildlens.settings.types import PRECISION, Precision, Seed

Explainer = Literal[
    "gan", "minimizer", "deeplift", "occlusion", "gradcam", "guided_gradcam",
    "integrated_gradients", "expected_gradients", "saliency", "activation_occlusion",
]  # fmt: skip
# what an explanation must beat: the same method on random weights, the labels' own oracle, nothing
Control = Literal[
    "deeplift_randomised", "occlusion_randomised", "gradcam_randomised",
    "guided_gradcam_randomised", "integrated_gradients_randomised",
    "expected_gradients_randomised", "saliency_randomised",
    "class_shares", "brightness", "random",
]  # fmt: skip
Method = Literal[Explainer, Control]
# what a scene is mapped with beside: no attributions, so not compared with land cover
Extra = Literal["score", "maximized", "minimized"]
METHODS, CONTROLS, EXTRAS = get_args(Method), get_args(Control), get_args(Extra)
RANDOMISED = "_randomised"  # ends the name of a method that explains a classifier of random weights
TILES_ONLY = ("class_shares",)  # needs land cover, which a scene alone does not have


class Attribution(Section):
    """How scenes and tiles are attributed."""

    methods: list[Method] = Field(
        ["gan", "minimizer", "deeplift", "occlusion", "gradcam"],
        min_length=1,
        description="Methods that scenes are mapped with, and tiles attributed",
    )
    controls: list[Control] = Field(
        ["deeplift_randomised", "gradcam_randomised", "class_shares", "brightness", "random"],
        description="Controls that the tables carry beside them; tiles only, scenes are not mapped",
    )
    extras: list[Extra] = Field(
        ["score"],
        description="What else is mapped: score: naturalness; maximized, minimized: X+ and X-",
    )
    baseline: Literal["zero", "mean"] = Field(
        "zero",
        description="Baseline of DeepLIFT and integrated gradients, and fill of occlusion: "
        "reflectance 0 or band means",
    )
    sign: Literal["positive", "absolute", "signed"] = Field(
        "positive",
        description="Contributions that add up (DeepLIFT, the two gradient integrals, guided "
        "GradCAM), summed over bands: negative ones cut, absolute values, or as they are",
    )
    symmetries: Literal[1, 8] = Field(
        1,
        description="Views whose maps are averaged, for every method alike: the image as it is, or"
        " all turned and mirrored ones, at eight times the time",
    )
    gradient_steps: int = Field(
        32, ge=1, le=1000, description="Integrated gradients: points on the way from the baseline"
    )
    expected_tiles: int = Field(
        8, ge=1, le=1000, description="Expected gradients: training tiles that serve as baselines"
    )
    expected_steps: int = Field(
        8,
        ge=1,
        le=1000,
        description="Expected gradients: points on the way from each of them; see completeness.csv",
    )
    activation_bins: int = Field(
        8, ge=1, le=100, description="Activation occlusion: cells along each axis of the maps"
    )
    activation_tiles: int = Field(
        64, ge=1, description="Activation occlusion: training tiles that say what a cell is worth"
    )
    occlusion_window: int = Field(16, ge=1, le=512, description="Side of the occluder, px")
    occlusion_stride: int = Field(8, ge=1, le=512, description="Step of the occluder, px")
    overlap: int = Field(32, ge=0, le=512, description="Overlap of tiles of whole-tile methods, px")
    window: int = Field(512, ge=64, le=8192, description="Window of methods with a halo, px")
    parts: int = Field(
        1,
        ge=1,
        le=1000,
        description="Runs of rows that a scene is mapped in, each a job of its own",
    )
    batch_size: int = Field(16, ge=1, le=1024, description="Tiles attributed at once")
    precision: Precision = Field("float32", description=f"{PRECISION}; occlusion keeps float32")
    max_tiles: int = Field(80, ge=1, description="Protected tiles attributed in each split")
    seed: Seed = Field(0, description="Seed of the choice of tiles and of the random control")

    @model_validator(mode="after")
    def _stride_covers(self):
        if self.occlusion_stride > self.occlusion_window:
            raise ValueError(
                "occlusion_stride must not exceed occlusion_window: pixels would be left"
            )
        return self

    @model_validator(mode="after")
    def _methods_can_map(self):
        for method in self.methods:
            if method in TILES_ONLY:
                raise ValueError(f"'{method}' cannot map scenes: list it under controls")
        return self
