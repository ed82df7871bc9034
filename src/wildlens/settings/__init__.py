"""The configuration: one strict model a section, from which defaults, schema and reference come.

A key that does not exist is an error that names its nearest known neighbour; a value out of range
is an error that names its key. Models are frozen: a step reads its section, nobody edits it.
"""

import difflib
import itertools
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from wildlens.errors import WildLensError, one_line
from wildlens.legend import CORINE

Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=120)]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,_.-]*$", max_length=60)]
Band = Literal[
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"
]  # fmt: skip
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Clip = tuple[Longitude, Latitude, Longitude, Latitude]
Address = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2000)]
MgrsTile = Annotated[str, Field(pattern=r"^\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]$")]
FETCHED = "resources/fetched"  # where products that are fetched lie, each in a folder of its name
CorineCode = Annotated[int, Field(ge=111, le=523)]


def _classes(value: Any) -> Any:
    """CORINE codes of a list in which 1 and 33 stand for all classes under them."""
    if not isinstance(value, list):
        return value
    codes = []
    for entry in value:
        group = str(entry) if isinstance(entry, int) and 0 < entry < 100 else None
        under = [c.code for c in CORINE.classes if group and str(c.code).startswith(group)]
        codes += under or [entry]
    return list(dict.fromkeys(codes)) if all(isinstance(c, int) for c in codes) else codes


CorineCodes = Annotated[list[CorineCode], BeforeValidator(_classes)]

Precision = Literal["float32", "bfloat16"]
PRECISION = "What convolutions are computed in; bfloat16 is faster on GPUs, see docs/cluster.md"

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
# what tiles are labelled as, by label, before any further class
TWO_CLASSES = ("anthropogenic", "protected")
RANDOMISED = "_randomised"  # ends the name of a method that explains a classifier of random weights
TILES_ONLY = ("class_shares",)  # needs land cover, which a scene alone does not have


def classes_in_order(names: Sequence[str]) -> list[tuple[int, str]]:
    """(label, name) of classes as people read them: protected, anthropogenic, then the others."""
    return [(label, names[label]) for label in (1, 0, *range(2, len(names)))]


class Section(BaseModel):
    """What every section is: strict and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Wanted(Section):
    """The product that is fetched: the clearest of an area and time, or one STAC item."""

    box: Clip | None = Field(
        None, description="The area: west, south, east, north in degrees; what is fetched covers it"
    )
    polygons: str | None = Field(
        None,
        description="... or a file of polygons, whose box is fetched and whose land must be clear",
    )
    dates: tuple[date, date] | None = Field(None, description="First and last day, YYYY-MM-DD")
    max_cloud: float = Field(
        30,
        ge=0,
        le=100,
        description="Products with more cloud, by their catalogue, are left out, %",
    )
    tile: MgrsTile | None = Field(
        None, description="Only products of this tile of the Sentinel-2 grid, such as 34WDA"
    )
    item: Address | None = Field(
        None, description="Address of one STAC item, instead of a search; whole without an area"
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
        " or a list of those of one date, which become one scene",
    )
    fetch: Wanted | None = Field(
        None, description="What to fetch from a catalogue, instead of `product`"
    )
    offset: int | list[int] | None = Field(
        None,
        description="DN to add to every valid pixel, where the product has no metadata to say so;"
        " of a list of products, one for all or one for each",
    )
    clip: Clip | None = Field(
        None, description="West, south, east, north in degrees: only what lies in it is used"
    )
    landcover: str | None = Field(None, description="Its own land cover, instead of the common one")
    truth: str | None = Field(
        None, description="Exact land cover on its grid (simulated land only)"
    )

    @property
    def paths(self) -> list[str]:
        """All products of the scene: where they lie, or will lie once they are fetched."""
        if self.product is None:
            return [f"{FETCHED}/{self.name}/item.json"]
        return [self.product] if isinstance(self.product, str) else self.product

    @property
    def offsets(self) -> list[int]:
        """None, one for all products, or one for each."""
        if self.offset is None:
            return []
        return self.offset if isinstance(self.offset, list) else [self.offset]

    @model_validator(mode="after")
    def _is_here_or_fetched(self):
        if (self.product is None) == (self.fetch is None):
            raise ValueError("give either `product` (a path) or `fetch` (what to look for)")
        return self

    @model_validator(mode="after")
    def _offsets_fit(self):
        if isinstance(self.offset, list) and len(self.offset) != len(self.paths):
            raise ValueError(
                f"{len(self.offset)} offsets for {len(self.paths)} products: give one for all, or"
                " one for each"
            )
        return self


class Inputs(Section):
    """What the chain reads. Paths are relative to the working directory."""

    training: list[Product] = Field(min_length=1, description="Products the tiles are cut from")
    mapping: list[Product] = Field([], description="Products that are mapped")
    landcover: str = Field(description="Land cover that holds all products (CORINE raster)")
    areas: str = Field(description="Protected areas (WDPA polygons)")

    @model_validator(mode="after")
    def _names_are_unique(self):
        names = [p.name for p in [*self.training, *self.mapping]]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"two products have the same name: {', '.join(twice)}")
        return self


class Demo(Section):
    """The simulated region of the embedded default."""

    seed: Seed = Field(0, description="Seed of the landscape")
    size: int = Field(3072, ge=256, le=10980, multiple_of=2, description="Training scene side, px")
    mapping_size: int = Field(1024, ge=256, le=10980, multiple_of=2, description="Mapped side, px")


class Fetch(Section):
    """From which catalogue products are fetched (`fetch` of a product), and how."""

    catalogue: Literal["earth-search", "planetary-computer", "cdse"] = Field(
        "earth-search", description="A STAC API whose dialect and tokens are known"
    )
    address: Address | None = Field(None, description="Another address of it, or of its like")
    collection: str | None = Field(
        None,
        max_length=200,
        description="Collection of Level-2A items; default sentinel-2-c1-l2a at earth-search, "
        "sentinel-2-l2a elsewhere",
    )
    token_address: Address | None = Field(None, description="Another address of its tokens")
    token_hosts: list[str] | None = Field(
        None, description="Other hosts (ends of their names) that its tokens are sent to"
    )
    looked_at: int = Field(
        3,
        ge=1,
        le=50,
        description="Clearest products, by their catalogue, whose scene classification over the "
        "area decides among them",
    )
    min_clear: Share = Field(
        0.5, description="Share of the area that must be seen without clouds and their shadows"
    )
    connections: int = Field(4, ge=1, le=16, description="Bands fetched at once")
    tries: int = Field(6, ge=1, le=20, description="How often a request is made that fails")
    timeout_s: float = Field(60, gt=0, le=3600, description="Wait for an answer, s")
    max_gb: float = Field(10, gt=0, le=1000, description="Most that is taken for one product, GB")


class Scene(Section):
    """From a product to a scene: reflectance x 10000 at 10 m."""

    bands: list[Band] = Field(
        ["B02", "B03", "B04", "B08"], min_length=1, description="Bands, in this order"
    )
    resampling: Literal["nearest", "bilinear"] = Field(
        "bilinear",
        description="How 20 m and 60 m bands come to 10 m, and what is reprojected to its pixels",
    )
    mask_classes: list[Annotated[int, Field(ge=0, le=11)]] = Field(
        [0, 1, 3, 8, 9, 10], description="Scene-classification (SCL) classes made no data"
    )
    offset_doubt: Literal["warn", "refuse"] = Field(
        "warn", description="What happens where the pixels contradict the offset in the metadata"
    )
    crs: Annotated[str, Field(pattern=r"^EPSG:\d{4,5}$")] | None = Field(
        None,
        description="EPSG code that products are reprojected to, at 10 m; none: the products' own",
    )


class Landcover(Section):
    """From a land-cover product to the grid of a scene."""

    product: Literal["corine", "clcplus", "worldcover", "igbp", "cgls", "globcover", "table"] = (
        Field("corine", description="What it is; classes of others become those of CORINE")
    )
    band: str | None = Field(
        None, description="Band by description; default the only one, or the product's"
    )
    table: str | None = Field(
        None, description="product: table: CSV with columns value and code (CORINE, 0 = no data)"
    )
    resampling: Literal["nearest", "majority"] = Field(
        "nearest",
        description="Class of a pixel: the one at its centre, or the one that covers most of it",
    )

    @model_validator(mode="after")
    def _table_goes_with_its_product(self):
        if (self.product == "table") != (self.table is not None):
            raise ValueError("product 'table' and the path `table` go together")
        return self


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
        " other, chosen at random; none: all. Validation and test keep theirs",
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


class Gan(Section):
    """Pattern-maximizer and pattern-minimizer, and their training."""

    blocks: int = Field(12, ge=1, le=64, description="Residual blocks of a generator")
    width: int = Field(8, ge=1, le=256, description="Channels of a generator at full size")
    downsamplings: int = Field(1, ge=0, le=4, description="Halvings before the residual blocks")
    discriminator_width: int = Field(
        8, ge=1, le=256, description="Channels of the discriminators' first layer"
    )
    activation: Literal["score", "local"] = Field(
        "local",
        description="What activation maximisation acts on: the score of the image (paper), or the "
        "score of each place, of classifiers that have it (local)",
    )
    activation_margin: float | None = Field(
        -1.0,
        ge=-100,
        le=100,
        description="Logit past neutral at which activation maximisation ends; below 0, it ends "
        "before neutral: what is natural goes, nothing is painted. none: no such end (paper)",
    )
    lambda_am: float = Field(
        0.5, ge=0, le=100, description="Weight of activation maximisation (paper: 0.3)"
    )
    lambda_sim: float = Field(1.0, ge=0, le=100, description="Weight of the similarity loss")
    lambda_rest: float = Field(
        1.0,
        ge=0,
        le=100,
        description="What more a change weighs in the similarity loss where activation "
        "maximisation has ended (0: nothing, paper)",
    )
    lambda_cyc: float = Field(1.0, ge=0, le=100, description="Weight of the cycle loss")
    lambda_adv: float = Field(1.0, ge=0, le=100, description="Weight of the adversarial loss")
    similarity: Literal["l1", "frobenius"] = Field(
        "l1",
        description="Distance of the similarity loss: L1 (the paper's text), or an image's root"
        " mean square (its equation 2)",
    )
    adversarial: Literal["square", "cross_entropy"] = Field(
        "square",
        description="Adversarial loss of the generators: a square (the paper's equation 4), or"
        " cross entropy (its text)",
    )
    loss_unit: Literal["standardised", "reflectance"] = Field(
        "standardised", description="Unit of the two L1 losses (paper: reflectance)"
    )
    pretraining_steps: int = Field(30, ge=0, description="Steps without activation maximisation")
    ramp_steps: int = Field(30, ge=0, description="Steps over which lambda_am rises after that")
    steps: int = Field(1000, ge=1, description="All steps, pre-training included")
    batch_size: int = Field(8, ge=1, le=512, description="Tiles in a batch")
    crop: int | None = Field(
        64, ge=32, multiple_of=4, description="Side of random crops of the tiles, px; none: whole"
    )
    rate: float = Field(1e-3, gt=0, le=1, description="Adam's rate until decay_from")
    decay_from: Share = Field(0.3, description="Share of the steps after which the rate falls to 0")
    averaging: float = Field(
        0.98, ge=0, lt=1, description="Decay of the running mean of the weights"
    )
    precision: Precision = Field("float32", description=PRECISION)
    seed: Seed = Field(0, description="Seed of weights, batches and crops")

    @model_validator(mode="after")
    def _phases_fit(self):
        if self.pretraining_steps >= self.steps:
            raise ValueError("pretraining_steps must be fewer than steps")
        return self

    @model_validator(mode="after")
    def _rest_comes(self):
        if self.lambda_rest and self.activation_margin is None:
            raise ValueError(
                "lambda_rest must be 0 where activation_margin is none: activation maximisation "
                "never ends"
            )
        return self


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


class Evaluation(Section):
    """What attributions are compared with."""

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
        description="Further groups by name, each compared by itself: groups.csv",
    )
    top_shares: list[Fraction] = Field(
        [0.1, 0.25],
        description="Rules beside the validation threshold: this share of each tile is high",
    )
    faithfulness_tiles: int = Field(
        8, ge=0, description="Test tiles of the insertion and deletion curves; 0: none"
    )
    faithfulness_steps: int = Field(
        10, ge=1, le=1000, description="Steps in which a tile is deleted or inserted"
    )
    faithfulness_fill: Literal["zero", "mean"] = Field(
        "zero", description="What deleted pixels hold: reflectance 0, or band means"
    )
    order_margin: Share = Field(
        0.05, description="Margin of the score by which X- < X < X+ must hold"
    )
    noise: float = Field(
        0.002, ge=0, le=1, description="Hidden signals: sd of noise laid over images, reflectance"
    )
    blur: float = Field(0.7, ge=0, le=10, description="Hidden signals: sd of the blur, px")
    resamples: int = Field(1000, ge=100, le=100_000, description="Bootstrap resamples of blocks")
    seed: Seed = Field(0, description="Seed of the bootstrap")

    @model_validator(mode="after")
    def _groups_are_others(self):
        if "targets" in self.groups:
            raise ValueError("a group cannot be called 'targets': that is the target group itself")
        return self

    @model_validator(mode="after")
    def _codes_exist(self):
        for code in [*self.targets, *itertools.chain(*self.groups.values())]:
            try:
                CORINE.index_of(code)
            except KeyError:
                raise ValueError(f"{code} is no CORINE code") from None
        return self


class Settings(Section):
    """The whole configuration."""

    inputs: Inputs
    anthroprotect: str | None = Field(
        None,
        description="Folder of AnthroProtect: trained on instead of inputs.training; its"
        " investigative scenes are mapped, too",
    )
    demo: Demo = Demo()
    fetch: Fetch = Fetch()
    scene: Scene = Scene()
    landcover: Landcover = Landcover()
    tiles: Tiles = Tiles()
    classifier: Classifier = Classifier()
    gan: Gan = Gan()
    attribution: Attribution = Attribution()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _classes_are_there(self):
        if self.classifier.target not in self.tiles.classes:
            raise ValueError(
                f"classifier.target: '{self.classifier.target}' is no class of the tiles; these"
                f" are {', '.join(self.tiles.classes)}"
            )
        if self.anthroprotect and self.tiles.other_classes:
            raise ValueError("tiles.other_classes: AnthroProtect comes with its own two classes")
        if self.anthroprotect and self.tiles.balance is not None:
            raise ValueError("tiles.balance: AnthroProtect is taken as it is published, set none")
        return self

    @model_validator(mode="after")
    def _classifier_has_what_the_gan_needs(self):
        if self.gan.activation == "local" and self.classifier.architecture != "local":
            raise ValueError(
                "gan.activation: local needs classifier.architecture: local; set gan.activation: "
                "score"
            )
        return self


def validate(data: Any, model: type[Section] = Settings, source: str = "configuration") -> Section:
    """Check `data` against a section's model; `WildLensError` names each bad key in one line."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise WildLensError(f"{source}: expected keys and values, found {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(_explain(e, model) for e in error.errors())
        raise WildLensError(f"{source}: {problems}") from None


def load_section(model: type[Section], path: Path | None) -> Section:
    """A section from its YAML file; without a file, its defaults."""
    if path is None:
        return validate({}, model, f"settings of {model.__name__.lower()}")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = one_line(error)
        raise WildLensError(f"{path}: cannot be read as YAML: {reason}") from None
    return validate(data, model, str(path))


def dump_section(section: Section) -> str:
    """YAML text of a section, defaults included, such that `load_section` gives it back."""
    return yaml.safe_dump(section.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _explain(error: dict, model: type[BaseModel]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location) or "configuration"
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.0)
        return (
            f"unknown key '{key}' (did you mean '{near[0]}'?)" if near else f"unknown key '{key}'"
        )
    if error["type"] == "missing":
        return f"missing key '{key}'"
    message = error["msg"].removeprefix("Value error, ")
    value = "" if isinstance(error["input"], dict | list) else f", found {error['input']!r}"
    return f"{key}: {message}{value}"


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Field names of the model nested at `location`.

    Places in lists and names that the user gives are passed over.
    """
    for part in location:
        if part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        inner = [annotation, *getattr(annotation, "__args__", ())]
        models = [t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)
