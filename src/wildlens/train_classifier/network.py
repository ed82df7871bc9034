"""Build a classifier from its settings."""

from torch import nn

from wildlens.errors import WildLensError
from wildlens.networks.architectures import build_network
from wildlens.settings import Classifier
from wildlens.training.classes import Classes


def network_arguments(settings: Classifier, bands: int, tile_size: int, classes: Classes) -> dict:
    """Arguments of the network's constructor, as the model file holds them."""
    several = {"outputs": classes.outputs, "target": classes.number} if classes.outputs > 1 else {}
    if settings.architecture == "local":
        return {"bands": bands, "width": settings.width, **several}
    return {
        "bands": bands,
        "tile_size": tile_size,
        "width": settings.width,
        "depth": settings.depth,
        "maps": settings.maps,
        "strides": list(settings.strides),
        "dropout": settings.dropout,
        "pixel_occlusion": settings.pixel_occlusion,
        **several,
    }


def build(settings: Classifier, arguments: dict) -> nn.Module:
    """A new network, with weights drawn from torch's current random state."""
    try:
        return build_network(settings.architecture, arguments)
    except ValueError as error:
        raise WildLensError(
            f"classifier: {error}; change classifier.strides or tiles.size"
        ) from None
