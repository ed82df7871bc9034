"""Checkpoint files: nested values and tensors with a digest; a corrupt file is refused.

A safetensors file holds all tensors; its metadata hold the rest of the state as JSON, the
fingerprint of the training and a digest of everything. Nothing in it is ever executed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from wildlens.errors import one_line
from wildlens.networks.weights import write_tensors


def write(path: Path, state: dict, fingerprint: Mapping[str, str]) -> None:
    """Write a checkpoint atomically."""
    tensors: dict[str, Tensor] = {}
    metadata = {
        "state": json.dumps(_packed(state, tensors)),
        "fingerprint": json.dumps(dict(fingerprint)),
    }
    metadata["digest"] = _digest(tensors, metadata)
    write_tensors(path, tensors, metadata)


def read(path: Path) -> tuple[dict, dict[str, str]]:
    """State and fingerprint of a checkpoint; ValueError says why a file is corrupt."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(one_line(error, 200)) from None
    if metadata.pop("digest", None) != _digest(tensors, metadata):
        raise ValueError("its content does not match its digest")
    try:
        return _unpacked(json.loads(metadata["state"]), tensors), json.loads(
            metadata["fingerprint"]
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is not a checkpoint: {one_line(error, 200)}") from None


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Replace tensors in `value` by keys of `tensors`, so that JSON can hold it.

    Tuples become lists.
    """
    if isinstance(value, Tensor):
        key = str(len(tensors))
        tensors[key] = value.detach().cpu().contiguous()
        return {"tensor": key}
    if isinstance(value, Mapping):  # pairs, because keys in JSON are text
        return {"pairs": [[key, _packed(inner, tensors)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_packed(inner, tensors) for inner in value]
    return value


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(inner, tensors) for inner in value]
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict):
        return {key: _unpacked(inner, tensors) for key, inner in value["pairs"]}
    return value


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    total = hashlib.blake2b(digest_size=16)
    for key in sorted(tensors):
        total.update(f"{key} {tensors[key].dtype} {tuple(tensors[key].shape)}\n".encode())
        total.update(tensors[key].reshape(-1).view(torch.uint8).numpy())
    for key in sorted(metadata):
        total.update(f"{key} {metadata[key]}\n".encode())
    return total.hexdigest()
