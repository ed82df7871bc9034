"""Metadata of model files, read without torch and without their weights."""

from pathlib import Path

import safetensors

from wildlens.errors import WildLensError


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
