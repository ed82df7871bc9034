"""Create a method from its record: with trained networks, or, as a control, random weights."""

from collections.abc import Mapping
from dataclasses import replace

from wildlens.attribution import signs
from wildlens.attribution.method import Method
from wildlens.attribution.models import Models
from wildlens.attribution.symmetry_mean import average
from wildlens.errors import WildLensError
from wildlens.registry import methods
from wildlens.registry.record import RANDOMISED, MethodRecord
from wildlens.settings import Attribution


def create(name: str, models: Models, settings: Attribution) -> Method:
    """The method of this name, ready to be called.

    With `_randomised` at the end of its name, the same method explains a classifier of random
    weights. Generators have no such control: untrained ones do not change the image, and training
    them through a random classifier would be another experiment.

    Raises:
        WildLensError: no method has this name, the models do not suit it, or its package
            does not return a `Method`.
    """
    record = methods.find(name)
    if name.endswith(RANDOMISED):
        models = replace(models, weights_seed=settings.seed)
    method = record.load_factory()(models, settings)
    if not isinstance(method, Method):
        raise WildLensError(f"method '{name}': {record.factory} gives no wildlens Method")
    return average(method) if averaged(record, settings) else method


def averaged(record: MethodRecord, settings: Attribution) -> bool:
    """Whether maps are averaged over the symmetries of the square; never for single pixels.

    A pixel alone has the same value in every view, and the noise of a control must not be averaged.
    Scores and images are not attributions.
    """
    return settings.symmetries > 1 and record.role != "layer" and record.context != "pixel"


def describe(name: str, settings: Attribution) -> Mapping[str, str]:
    """Metadata of a result: tags of maps, attributes of stores."""
    record = methods.find(name)
    return {
        "wildlens_method": name,
        "wildlens_form": record.form,
        "unit": record.unit,
        "sign": signs.RULES[settings.sign] if record.sign is None else record.sign,
        "sign_rule": settings.sign if record.sign is None else "fixed by the method",
        "baseline": settings.baseline if record.baseline == "settings" else record.baseline,
        "symmetries": str(settings.symmetries if averaged(record, settings) else 1),
    }


def precision(name: str, settings: Attribution) -> str:
    """Precision that a method's convolutions are computed in."""
    own = methods.find(name).precision
    return settings.precision if own == "settings" else own
