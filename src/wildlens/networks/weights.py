"""Model files: safetensors with the metadata to rebuild the network; never a pickle."""

import json
import os
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from wildlens.errors import WildLensError, one_line
from wildlens.files.atomic import atomic
from wildlens.networks.architectures import GENERATOR, build_network
from wildlens.registry import classifiers
from wildlens.settings import TWO_CLASSES, Classifier, Gan, validate

_LARGEST = 1024  # number of bands, pixels or classes
# raised by descriptions that no network has, and by weights of another one
_MISFITS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError)


def save(
    path: Path,
    networks: Mapping[str, nn.Module],
    *,
    kind: str,
    arguments: Mapping,
    bands: list[str],
    tile_size: int,
    provenance: Mapping[str, str],
    classes: Sequence[str] = (),
    target: str = "",
    neutral_baseline: str = "",
) -> None:
    """Write networks of one `kind`, `generator` or an architecture, of the same `arguments`.

    Args:
        networks: name in the file -> network.
        bands: names of the bands, in the order of the input.
        tile_size: side of the tiles they were trained on, px.
        classes: of a classifier, the names of its classes by label; target: the one explained.
        neutral_baseline: of a classifier, see `networks.baselines`.
    """
    tensors = {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    metadata = dict(provenance) | {
        "kind": kind,
        "arguments": json.dumps(dict(arguments)),
        "bands": json.dumps(bands),
        "tile_size": str(tile_size),
    }
    if classes:
        metadata |= {"classes": json.dumps(list(classes)), "target": target}
    if neutral_baseline:
        metadata["neutral_baseline"] = neutral_baseline
    write_tensors(path, tensors, metadata)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically; it is flushed to disk before it gets its name.

    The same content gives the same bytes, so that digests of files compare what is in them.
    """
    with atomic(path) as temporary:
        try:
            safetensors.torch.save_file(dict(tensors), temporary, dict(metadata))
        except safetensors.SafetensorError as error:
            raise OSError(str(error)) from None
        with temporary.open("r+b") as file:
            _sort_metadata(file)
            file.flush()
            os.fsync(file.fileno())


def _sort_metadata(file: BinaryIO) -> None:
    """Put the metadata of a safetensors file in order, which the library writes in any.

    The file starts with the length of its header (8 bytes, little-endian); the header is JSON,
    filled up with spaces.
    """
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(text) <= length, "the same JSON in another order"
    file.seek(8)
    file.write(text.ljust(length))


def load_classifier(path: Path) -> nn.Module:
    """A trained classifier: eval mode, frozen.

    It has the attributes `kind` (its architecture), `bands`, `tile_size`, `classes` (names by
    label), `target` (name of the class whose logit it gives) and `target_label`.
    """
    networks = _load(path, classifiers.records(), "classifier", ("classifier",))
    return networks["classifier"]


def load_generators(path: Path) -> tuple[nn.Module, nn.Module]:
    """(pattern-maximizer, pattern-minimizer): eval mode, frozen, with `bands` and `tile_size`."""
    networks = _load(path, (GENERATOR,), "generators", ("maximizer", "minimizer"))
    return networks["maximizer"], networks["minimizer"]


def _load(
    path: Path, kinds: Container[str], what: str, names: Sequence[str]
) -> dict[str, nn.Module]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WildLensError(f"{path}: is no model file (safetensors): {error}") from None
    if metadata.get("kind") not in kinds:
        raise WildLensError(f"{path}: holds no {what} (kind: {metadata.get('kind', 'not given')})")
    missing = set(names) - {key.partition(".")[0] for key in tensors}
    if missing:
        raise WildLensError(
            f"{path}: holds no {' and no '.join(sorted(missing))}; train the {what} again"
        )
    try:
        arguments = json.loads(metadata["arguments"])
        _check_arguments(f"{path}: its description", metadata["kind"], arguments)
        return {name: _build(name, arguments, metadata, tensors) for name in names}
    except _MISFITS as error:
        reason = one_line(error, 200)
        raise WildLensError(f"{path}: its weights do not fit its description: {reason}") from None


def _check_arguments(source: str, kind: str, arguments: Mapping) -> None:
    """Refuse arguments beyond the limits of the settings: a network could take hours to build."""
    if _is_wrapped(kind):
        return  # its arguments are another package's
    if kind == GENERATOR:
        section, names, own = Gan, Gan.model_fields, {}
    else:
        section, names, own = Classifier, classifiers.find(kind).settings, {"architecture": kind}
    given = {name: value for name, value in arguments.items() if name in names}
    validate(given | own, section, source)
    for name in arguments.keys() - given.keys():
        if type(arguments[name]) is not int or not 0 <= arguments[name] <= _LARGEST:
            raise ValueError(f"{name} is {arguments[name]!r}")


def _build(name: str, arguments: dict, metadata: dict[str, str], tensors: dict) -> nn.Module:
    """One of the networks of a file, with its weights."""
    kind, prefix = metadata["kind"], f"{name}."
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    if not _is_wrapped(kind):
        # compare shapes first, without memory for any others than those in the file
        with torch.device("meta"):
            build_network(kind, arguments).load_state_dict(own, assign=True)
    network = build_network(kind, arguments)
    network.load_state_dict(own)
    network.kind = kind
    network.bands = json.loads(metadata["bands"])
    network.tile_size = int(metadata["tile_size"])
    network.classes = json.loads(metadata.get("classes", json.dumps(TWO_CLASSES)))
    network.target = metadata.get("target", TWO_CLASSES[1])
    network.neutral_baseline = metadata.get("neutral_baseline")
    network.target_label = network.classes.index(network.target)
    return network.eval().requires_grad_(False)


def _is_wrapped(kind: str) -> bool:
    """Whether the network is of another package."""
    return kind != GENERATOR and classifiers.find(kind).wrapped
