"""Example tiles for the figures, with their generated images: examples.npz.

The networks run here, once, where an accelerator is requested; figures only draw.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from wildlens.errors import WildLensError, one_line
from wildlens.evaluate.generated import Generated
from wildlens.files.atomic import atomic


@dataclass(frozen=True)
class Examples:
    """A few tiles chosen by their scores alone.

    Attributes:
        names, reasons: (tile,) of the tiles; why each was chosen.
        bands: (band,) names of the bands.
        images: (tile, 3, band, y, x) float32 reflectance: X, X+ and X-.
        scores: (tile, 3) float32 in 0..1 of the three; valid: (tile, y, x) bool.
    """

    names: np.ndarray
    reasons: np.ndarray
    bands: np.ndarray
    images: np.ndarray
    scores: np.ndarray
    valid: np.ndarray


def choose_examples(scores: np.ndarray) -> dict[int, str]:
    """Tiles of the examples, chosen by scores alone and never by land cover.

    Args:
        scores: (tile, 3) scores of X, X+ and X-.

    Returns:
        Position of up to four different tiles -> why it was chosen.
    """
    original = scores[:, 0]
    by_score = np.argsort(-original, kind="stable")
    from_middle = np.abs(np.arange(len(original)) - (len(original) - 1) / 2)
    chosen: dict[int, str] = {}
    for order, reason in (
        (by_score, "highest score"),
        (by_score[np.argsort(from_middle, kind="stable")], "median score"),
        (by_score[::-1], "lowest score"),
        (np.argsort(scores[:, 2] - original, kind="stable"), "largest fall of the score to X−"),
    ):
        left = [int(position) for position in order if int(position) not in chosen]
        if left:
            chosen[left[0]] = reason
    return chosen


def gather(
    names: np.ndarray, reasons: Iterable[str], bands: Iterable[str], batches: Iterable[Generated]
) -> Examples:
    """Examples from the generated images of the chosen tiles, in their order."""
    batches = list(batches)
    images, scores, valid = (
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("images", "scores", "valid")
    )
    return Examples(
        names.astype(str), np.array(list(reasons)), np.array(list(bands)), images, scores, valid
    )


def write_examples(path: Path, examples: Examples) -> None:
    """Write examples as compressed numpy arrays, without pickle."""
    arrays = {field.name: getattr(examples, field.name) for field in fields(Examples)}
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_examples(path: Path) -> Examples:
    """Read what `write_examples` wrote; other files are refused in one line."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Examples(**{field.name: arrays[field.name] for field in fields(Examples)})
    # damage can cause any error of zipfile, zlib, numpy or tokenize, depending on the bytes it hits
    except Exception as error:
        raise WildLensError(
            f"{path}: cannot be read as examples ({one_line(error)}); run wildlens evaluate"
        ) from None
    if not _fits(found):
        raise WildLensError(f"{path}: its arrays do not belong together; run wildlens evaluate")
    return found


def _fits(found: Examples) -> bool:
    """Whether all arrays have the shapes that the images imply."""
    images = np.shape(found.images)
    if len(images) != 5:
        return False
    count, _, bands, height, width = images
    shapes = {
        "names": (count,),
        "reasons": (count,),
        "bands": (bands,),
        "images": (count, 3, bands, height, width),
        "scores": (count, 3),
        "valid": (count, height, width),
    }
    return all(np.shape(getattr(found, name)) == shape for name, shape in shapes.items())
