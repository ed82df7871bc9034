"""`attribution`: the methods, and how scenes and tiles are attributed."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from wildlens.errors import did_you_mean
from wildlens.registry import methods
from wildlens.registry.record import RANDOMISED, Role
from wildlens.settings.section import Section
from wildlens.settings.types import PRECISION, Precision, Seed


def _of_role(*roles: Role) -> Callable[[str], str]:
    """A validator of names of methods of these roles, of any installed package."""

    def check(name: str) -> str:
        known = methods.names(*roles)
        if name not in known:
            raise ValueError(f"unknown name{did_you_mean(name, known)}")
        return name

    return check


def _named(*roles: Role):
    """Type of a method's name; the documented schema lists the methods of this package."""
    schema = {"type": "string", "enum": list(methods.names(*roles, built_in=True))}
    return Annotated[str, AfterValidator(_of_role(*roles)), WithJsonSchema(schema)]


MethodName = _named("paper", "rival", "control")
ControlName = _named("control")
LayerName = _named("layer")


def fields_read(method: str, step: str) -> tuple[str, ...]:
    """Names of the attribution settings on which a method's result depends, in their order.

    Args:
        step: "map" or "attribute".
    """
    record = methods.find(method)
    read = {*record.settings, "batch_size"}
    read |= {"precision"} if record.precision == "settings" else set()
    read |= {"baseline"} if record.baseline == "settings" else set()
    read |= {"sign"} if record.sign is None else set()
    if record.role != "layer" and record.context != "pixel":
        read.add("symmetries")
    if step == "map":
        read.add("overlap" if record.context == "tile" else "window")
    else:
        read |= {"max_tiles", "seed"}
    return tuple(name for name in Attribution.model_fields if name in read)


class Attribution(Section):
    """How scenes and tiles are attributed."""

    methods: list[MethodName] = Field(
        [
            "gan",
            "minimizer",
            "minimizer_contributions",
            "minimizer_activation",
            "deeplift",
            "occlusion",
            "gradcam",
            "activation",
        ],
        min_length=1,
        description="Methods that scenes are mapped with, and tiles attributed",
    )
    controls: list[ControlName] = Field(
        ["deeplift_randomised", "gradcam_randomised", "class_shares", "brightness", "random"],
        description="Controls that the tables carry beside them; tiles only, scenes are not mapped",
    )
    extras: list[LayerName] = Field(
        ["score"],
        description="Further maps: score: the classifier's score; maximized, minimized: X+ and X-",
    )
    baseline: Literal["neutral", "zero", "mean", "blurred"] = Field(
        "neutral",
        description="Baseline of DeepLIFT and integrated gradients, and fill of occlusion: "
        "reflectance 0, band means, the image blurred by 8 px; or neutral: zero or mean, whose"
        " score on validation tiles is nearer to 0.5",
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
    gradcam_block: int = Field(
        0,
        ge=0,
        le=100,
        description="GradCAM and guided GradCAM: convolution block whose output is taken, counted"
        " back from the last one, 0 (paper)",
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
        64,
        ge=1,
        description="Activation occlusion: training tiles that measure the importance of cells",
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
        for name in self.methods:
            if name.endswith(RANDOMISED):
                raise ValueError(f"'{name}' is a control: list it under controls")
            if not methods.find(name).maps_scenes:
                raise ValueError(f"'{name}' cannot map scenes: list it under controls")
        return self
