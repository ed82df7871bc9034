"""Build a classifier from its settings."""

from torch import nn

from wildlens.errors import WildLensError
from wildlens.networks.architectures import build_network
from wildlens.registry import classifiers
from wildlens.settings import Classifier
from wildlens.training.classes import Classes


def network_arguments(settings: Classifier, bands: int, tile_size: int, classes: Classes) -> dict:
    """Arguments of the network's constructor, as stored in the model file."""
    record = classifiers.find(settings.architecture)
    values = settings.model_dump(mode="json")
    return {
        "bands": bands,
        **({"tile_size": tile_size} if record.wrapped or not record.any_size else {}),
        **{name: values[name] for name in record.settings},
        **settings.options,
        **({"outputs": classes.outputs, "target": classes.number} if classes.outputs > 1 else {}),
    }


def build(settings: Classifier, arguments: dict) -> nn.Module:
    """A new network, with weights drawn from torch's current random state."""
    try:
        return build_network(settings.architecture, arguments)
    except (TypeError, ValueError) as error:
        hint = "classifier.options" if settings.options else "classifier.strides or tiles.size"
        raise WildLensError(f"classifier: {error}; change {hint}") from None
