"""The whole configuration: all sections, and what must hold between them."""

from pydantic import Field, model_validator

from wildlens.registry import classifiers
from wildlens.settings.attribution import Attribution
from wildlens.settings.classifier import Classifier
from wildlens.settings.demo import Demo
from wildlens.settings.evaluation import Evaluation
from wildlens.settings.fetch import Fetch
from wildlens.settings.gan import Gan
from wildlens.settings.inputs import Inputs
from wildlens.settings.landcover import Landcover
from wildlens.settings.scene import Scene
from wildlens.settings.section import Section
from wildlens.settings.tiles import Tiles


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
        record = classifiers.find(self.classifier.architecture)
        if self.gan.activation == "local" and not record.local_logits:
            raise ValueError(
                "gan.activation: local needs classifier.architecture: local; set gan.activation: "
                "score"
            )
        return self
