"""Whether the models that a configuration names can make the maps that it asks for."""

import json
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.files.model_metadata import check_pair, read_model_metadata
from wildlens.registry import classifiers, methods
from wildlens.registry.record import ClassifierRecord
from wildlens.settings import Settings


def check_models(settings: Settings) -> str:
    """The architecture of the classifier in `models`, if the scenes can be mapped with it.

    Only headers of files are read.

    Raises:
        WildLensError: a file is missing or no model, was trained on other bands than the scenes
            have, its architecture lacks what a method needs, or the generators were trained through
            another classifier.
    """
    models = settings.models
    record, bands = read_classifier(Path(models.classifier))
    if bands != settings.scene.bands:
        raise WildLensError(
            f"scene.bands: {models.classifier} was trained on {', '.join(bands)}; set these bands"
            " in this order"
        )
    if models.generators and (found := read_bands(Path(models.generators))) != bands:
        raise WildLensError(
            f"models.generators: {models.generators} was trained on {', '.join(found)}, the"
            f" classifier on {', '.join(bands)}: name files of one run"
        )
    check_pair(Path(models.classifier), models.generators and Path(models.generators))
    if models.thresholds and not Path(models.thresholds).is_file():
        raise WildLensError(f"models.thresholds: {models.thresholds} does not exist")
    for name in settings.attribution.methods:
        if not methods.find(name).can_explain(record):
            raise WildLensError(
                f"attribution.methods: {name} needs a classifier that {models.classifier}"
                f" ({record.name}) is not; leave it out"
            )
    return record.name


def read_classifier(path: Path) -> tuple[ClassifierRecord, list[str]]:
    """Architecture and bands of a classifier's file."""
    kind = read_model_metadata(path).get("kind", "")
    if kind not in classifiers.records():
        raise WildLensError(f"{path}: holds no classifier (kind: {kind or 'not given'})")
    return classifiers.find(kind), read_bands(path)


def read_bands(path: Path) -> list[str]:
    """Bands that a model was trained on, in its order."""
    try:
        bands = json.loads(read_model_metadata(path)["bands"])
        if not all(isinstance(band, str) for band in bands):
            raise ValueError("names are no texts")
    except (KeyError, TypeError, ValueError):
        raise WildLensError(f"{path}: does not state its bands: train it again") from None
    return bands


def model_sides(settings: Settings) -> tuple[int, int]:
    """Side of the tiles that a classifier maps, and multiple at which windows of generators start.

    In px; of the models that a configuration names or, without any, will train.
    """
    tile, downsamplings = settings.tiles.size, settings.gan.downsamplings
    if models := settings.models:
        path = models.classifier
        try:
            tile = int(read_model_metadata(Path(path))["tile_size"])
            if path := models.generators:
                arguments = json.loads(read_model_metadata(Path(path))["arguments"])
                downsamplings = int(arguments["downsamplings"])
        except (KeyError, TypeError, ValueError):
            raise WildLensError(f"{path}: does not state its size: train it again") from None
    return tile, 2**downsamplings
