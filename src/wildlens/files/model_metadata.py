"""Metadata of model files, read without torch and without their weights."""

from pathlib import Path

import safetensors

from wildlens.errors import WildLensError
from wildlens.provenance import digest, inputs_of


def read_model_metadata(path: Path) -> dict[str, str]:
    """Metadata of a safetensors file.

    Raises:
        WildLensError: it does not exist, or is no such file.
    """
    try:
        with safetensors.safe_open(path, "np") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise WildLensError(f"{path}: is no model file (safetensors): {error}") from None


def check_pair(classifier: Path, generators: Path | None) -> None:
    """Check that generators were trained through a classifier, by its content.

    Generators that do not state their classifier are taken as they are.

    Raises:
        WildLensError: they were trained through another one, so that maps of both explain neither.
    """
    inputs = {} if generators is None else inputs_of(generators, read_model_metadata(generators))
    stated = {name: found for name, found in inputs.items() if name.endswith(".safetensors")}
    if stated and digest(classifier) not in stated.values():
        raise WildLensError(
            f"{generators}: was trained through another classifier ({', '.join(stated)}) than"
            f" {classifier}: name files of one training"
        )
