"""The whole configuration: all sections, and constraints between them."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field, model_validator

from wildlens.errors import did_you_mean
from wildlens.registry import classifiers, methods
from wildlens.settings.areas import Areas
from wildlens.settings.attribution import Attribution
from wildlens.settings.classifier import Classifier
from wildlens.settings.compare import Compare
from wildlens.settings.confidence import Confidence
from wildlens.settings.demo import Demo
from wildlens.settings.evaluation import Evaluation
from wildlens.settings.fetch import Fetch
from wildlens.settings.gan import Gan
from wildlens.settings.inputs import DEMO, Inputs, Product
from wildlens.settings.landcover import Landcover
from wildlens.settings.models import Models
from wildlens.settings.scene import Scene
from wildlens.settings.section import Section
from wildlens.settings.tiles import Tiles

MOST_CELLS = 2**20  # of activation occlusion
ANTHROPROTECT_SIZE = 256  # px


class Settings(Section):
    """The whole configuration."""

    inputs: Inputs
    anthroprotect: str | None = Field(
        None,
        description="Folder of AnthroProtect: trained on instead of inputs.training; its"
        " investigative scenes are mapped, too",
    )
    models: Models | None = Field(
        None, description="Trained models that scenes are mapped with; null: train them"
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
    confidence: Confidence = Confidence()
    areas: Areas = Areas()
    compare: Compare | None = Field(
        None, description="Two dates of the same ground that are compared; null: none"
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_sections_have_their_defaults(cls, data: Any) -> Any:
        """A section without keys, which YAML reads as null, is as good as none."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}

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
            raise ValueError("tiles.balance: AnthroProtect is taken as it is published, set null")
        return self

    @model_validator(mode="after")
    def _trains_or_has_models(self):
        if self.models is None:
            return self
        if self.anthroprotect:
            raise ValueError("models: nothing is trained with them; leave out anthroprotect")
        if self.inputs.training:
            raise ValueError("models: nothing is trained with them; set inputs.training to []")
        if not self.inputs.mapping:
            raise ValueError("inputs.mapping: needs a product that is mapped with the models")
        for name in (*self.attribution.methods, *self.attribution.extras):
            needs = methods.find(name).needs
            if "training_tiles" in needs:
                raise ValueError(
                    f"attribution.methods: {name} needs training tiles, which there are none of"
                    " with models; leave it out"
                )
            if "generators" in needs and self.models.generators is None:
                raise ValueError(
                    f"models.generators: {name} needs them; name their file, or leave it out of"
                    " attribution"
                )
        return self

    @model_validator(mode="after")
    def _members_fit(self):
        networks, generators = self.classifier.members, self.gan.members
        if self.models and max(networks, generators) > 1:
            raise ValueError(
                "models: nothing is trained with them; leave out classifier.members and gan.members"
            )
        if networks > 1 and generators != networks:
            raise ValueError(
                f"gan.members: generators are trained through the classifier of the same number;"
                f" set it to classifier.members ({networks}), or set that to 1"
            )
        return self

    @model_validator(mode="after")
    def _compared_products_are_there(self):
        if self.compare is None:
            return self
        mapping, training = ([p.name for p in products] for products in self._read_products())
        compare = self.compare
        _check_names("before", [compare.before], "inputs.mapping", mapping)
        _check_names("after", [compare.after], "inputs.mapping", mapping)
        names = [name for pair in compare.unchanged for name in pair]
        known = [*mapping, *training]
        _check_names("unchanged", names, "inputs.mapping and inputs.training", known)
        return self

    def _read_products(self) -> tuple[list[Product], list[Product]]:
        """Products to map and to train on; AnthroProtect replaces those of the demo."""
        if not self.anthroprotect:
            return self.inputs.mapping, self.inputs.training
        return [p for p in self.inputs.mapping if not p.paths[0].startswith(DEMO)], []

    @model_validator(mode="after")
    def _training_has_its_inputs(self):
        inputs = self.inputs
        if self.models or self.anthroprotect:
            return self
        if not inputs.training:
            raise ValueError(
                "inputs.training: needs at least one product, to cut training tiles from; or name"
                " trained models in `models`"
            )
        if inputs.areas is None:
            raise ValueError("inputs.areas: training tiles are labelled by protected areas")
        lacking = [p.name for p in inputs.training if not (p.landcover or inputs.landcover)]
        if lacking:
            raise ValueError(
                f"inputs.landcover: training tiles are labelled by land cover, which {lacking[0]}"
                " has none of"
            )
        return self

    @model_validator(mode="after")
    def _unet_takes_the_tiles(self):
        classifier, side = self.classifier, self.tiles.size
        if classifier.architecture != "unet":
            return self
        step = 2**classifier.depth
        if side % step or side // step < 2:
            raise ValueError(
                f"tiles.size: a unet of classifier.depth {classifier.depth} needs a multiple of"
                f" {step} from {2 * step} px on, found {side}"
            )
        cells = side
        for stride in classifier.strides:
            cells = (cells - 5) // stride + 1  # its convolutions are 5 wide, without padding
            if cells < 1:
                raise ValueError(
                    f"classifier.strides: {classifier.strides} are too many or too large for tiles"
                    f" of {side} px: change them or tiles.size"
                )
        if self.gan.crop is not None and self.gan.crop < side:
            raise ValueError(
                f"gan.crop: a unet takes whole tiles of {side} px, not crops of {self.gan.crop}:"
                " set gan.crop to null"
            )
        return self

    @model_validator(mode="after")
    def _generators_take_their_images(self):
        side = min(self.gan.crop or self.tiles.size, self.tiles.size)
        least = 2 ** (self.gan.downsamplings + 1)
        if side < least:
            raise ValueError(
                f"gan.downsamplings: images of {side} px are too small for"
                f" {self.gan.downsamplings} of them"
            )
        return self

    @model_validator(mode="after")
    def _anthroprotect_has_its_own_tiles(self):
        if self.anthroprotect and self.tiles.size != ANTHROPROTECT_SIZE:
            raise ValueError(
                f"tiles.size: the tiles of AnthroProtect have {ANTHROPROTECT_SIZE} px, set it to"
                f" {ANTHROPROTECT_SIZE}"
            )
        return self

    @model_validator(mode="after")
    def _classifier_has_what_the_gan_needs(self):
        record = classifiers.find(self.classifier.architecture)
        if self.gan.activation == "local" and not record.local_logits:
            raise ValueError(
                "gan.activation: local needs classifier.architecture: local; set gan.activation: "
                "score"
            )
        return self

    @model_validator(mode="after")
    def _methods_suit_the_classifier(self):
        attribution, classifier = self.attribution, self.classifier
        if self.models:  # the file tells its architecture: see project.models
            return self
        architecture = classifiers.find(classifier.architecture)
        for name in (*attribution.methods, *attribution.controls):
            method = methods.find(name)
            if not method.can_explain(architecture):
                known = classifiers.records().values()
                suitable = [r.name for r in known if method.can_explain(r)]
                raise ValueError(
                    f"attribution.methods: {name} needs classifier.architecture:"
                    f" {' or '.join(suitable)}; leave it out with {classifier.architecture}"
                )
        if (
            "activation_occlusion" in attribution.methods
            and attribution.activation_bins**classifier.maps > MOST_CELLS
        ):
            raise ValueError(
                f"attribution.activation_bins: {attribution.activation_bins} to the power of"
                f" classifier.maps ({classifier.maps}) is more than {MOST_CELLS} cells: lower one"
            )
        return self


def _check_names(key: str, names: Iterable[str], where: str, known: Sequence[str]) -> None:
    """Refuse names of `compare` that no product has, with the nearest that one has."""
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or " (it lists none)"
            raise ValueError(f"compare.{key}: no product of {where} is named '{name}'{hint}")
