"""Records of attribution methods and classifiers: their static properties, without torch.

Settings, workflow, tables, figures, QGIS and the catalogue read these records; none of them knows a
method by its name.
"""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from wildlens.errors import WildLensError

RANDOMISED = "_randomised"  # suffix of a method that explains a classifier of random weights
Role = Literal["paper", "rival", "control", "layer"]
Form = Literal["attribution", "score", "image"]
Context = Literal["pixel", "window", "tile"]
Need = Literal["classifier", "generators", "training_tiles", "landcover"]
Trait = Literal["local_logits", "full_size_maps", "activation_map"]
FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


@dataclass(frozen=True, kw_only=True)
class Record:
    """Common part of the records of methods and classifiers: name, title and factory.

    Raises:
        WildLensError: the name is no identifier, or the factory is not `module:function`.
    """

    name: str
    title: str
    factory: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise WildLensError(
                f"'{self.name}' is no name of a method or classifier: use lower-case letters,"
                " digits and underscores, and begin with a letter"
            )
        if not FACTORY.fullmatch(self.factory):
            raise WildLensError(
                f"'{self.name}': factory '{self.factory}' is not of the form 'module:function'"
            )

    @property
    def module(self) -> str:
        """Dotted name of the module with the factory."""
        return self.factory.partition(":")[0]

    def load_factory(self) -> Callable:
        """Import the module, which may import torch, and take the factory from it."""
        return getattr(importlib.import_module(self.module), self.factory.partition(":")[2])


@dataclass(frozen=True, kw_only=True)
class MethodRecord(Record):
    """An attribution method, or another map of a scene.

    Attributes:
        name: lower-case identifier; names files, and the method in settings and tables.
        title: name in figures, tables and QGIS.
        factory: `module:function`, called as `function(models, settings)` with
            `wildlens.attribution.models.Models` and `wildlens.settings.Attribution`; returns a
            `wildlens.attribution.method.Method`. The module may import torch; it is imported only
            when the method runs.
        role: a method of the paper ("paper"), one that it is compared with ("rival"), a control
            that tables include ("control"), or a map that is not an attribution ("layer").
        form: content of a map: "attribution" or "score" (one float32 value per pixel), or "image"
            (reflectance of all bands).
        unit: unit of the values, in words.
        sign: meaning of high and low values, in words; None if the setting `sign` decides.
        signed: whether values below zero have a meaning; None where the setting `sign` decides.
        context: pixels that a value depends on: the pixel itself, a window of finite size
            around it (the method's `halo`), or a whole tile.
        baseline: image that the image is compared with, in words: "settings" if the setting
            `baseline` decides, "none" without one.
        precision: "settings", or "float32" where rounding would decide the result.
        needs: models and data that it uses.
        classifier: trait of classifiers that it requires; see `ClassifierRecord`.
        settings: fields of the section `attribution` that the factory reads.
        randomisable: whether `{name}_randomised`, the same method on a classifier of random
            weights, is one of its controls.
    """

    role: Role
    unit: str
    sign: str | None
    signed: bool | None = False
    form: Form = "attribution"
    context: Context
    baseline: str = "none"
    precision: Literal["settings", "float32"] = "settings"
    needs: frozenset[Need] = frozenset({"classifier"})
    classifier: Trait | None = None
    settings: tuple[str, ...] = ()
    randomisable: bool = False

    @property
    def maps_scenes(self) -> bool:
        """Whether it can map scenes; methods that read land cover cannot, as only tiles have it."""
        return "landcover" not in self.needs

    @property
    def uses_network(self) -> bool:
        """Whether it runs a network, and benefits from an accelerator."""
        return bool(self.needs & {"classifier", "generators"})

    def can_explain(self, classifier: "ClassifierRecord") -> bool:
        """Whether an architecture has the trait that the method requires of it."""
        return self.classifier is None or getattr(classifier, self.classifier)

    def randomised(self) -> "MethodRecord":
        """The record of the control that explains a classifier of random weights."""
        return replace(
            self,
            name=self.name + RANDOMISED,
            title=f"{self.title}, untrained",
            role="control",
            settings=(*self.settings, "seed"),
            randomisable=False,
        )


@dataclass(frozen=True, kw_only=True)
class ClassifierRecord(Record):
    """An architecture of classifiers.

    Attributes:
        name: value of `classifier.architecture`, and kind of its model files.
        title: name in texts.
        factory: `module:function` that builds the network; called with `bands`, `tile_size` and
            `outputs` (numbers of bands, pixels and logits) and with `classifier.options`.
        settings: fields of the section `classifier` that are also passed to the factory.
        wrapped: whether the factory returns a plain network, from standardised images (N, C, S, S)
            to logits (N, outputs), which is put between standardisation and the target's logit. The
            classifiers of this package include both.
        any_size: whether it takes images of any size, not only tiles.
        local_logits: whether its logit is the mean of logits of locations.
        full_size_maps: whether it scores full-size maps (`activations`).
    """

    settings: tuple[str, ...] = ()
    wrapped: bool = True
    any_size: bool = False
    local_logits: bool = False
    full_size_maps: bool = False

    @property
    def activation_map(self) -> bool:
        """Whether its logit is computed from maps: see `networks.activation_map`."""
        return self.local_logits or self.full_size_maps
