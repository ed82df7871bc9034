"""Inputs of attribution methods: images, and further data about their pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wildlens.attribution.method import Method


@dataclass(frozen=True)
class Inputs:
    """A batch of tiles or windows. A method names the fields that it is called with in `reads`.

    Attributes:
        images: (N, C, H, W) float32 reflectance, missing pixels filled.
        valid: (N, H, W) bool, False where a pixel is missing.
        ground: (N, 2) int64, row and column of each image's first pixel; see `files.ground`.
        landcover: (N, H, W) uint8 CORINE index, 0 = none; None for scenes.
    """

    images: Tensor
    valid: Tensor
    ground: Tensor
    landcover: Tensor | None = None

    def attribute(self, method: Method) -> Tensor:
        """Attributions by a method, (N, H, W), or its images (N, C, H, W).

        The cells of a method with a stride are aligned to the CRS's origin and not to the images'
        corners, so that a pixel has the same value in every tile and file.
        """
        offsets = self.ground % method.multiple
        if method.reads != Method.reads or not offsets.any():
            return method(*(getattr(self, name) for name in method.reads))
        kinds, kind_of = offsets.unique(dim=0, return_inverse=True)
        numbers = [torch.nonzero(kind_of == kind)[:, 0] for kind in range(len(kinds))]
        values = [
            _shifted(method, self.images[rows.to(self.images.device)], *kind)
            for rows, kind in zip(numbers, kinds.tolist(), strict=True)
        ]
        order = torch.cat(numbers).argsort().to(self.images.device)
        return torch.cat(values)[order]


def _shifted(method: Method, images: Tensor, above: int, before: int) -> Tensor:
    """A method's values for images whose corners are this many pixels inside a cell.

    The first row and column are repeated until a cell begins, as the last ones are where a cell
    does not end (see `networks.alignment`).
    """
    padded = functional.pad(images, (before, 0, above, 0), "replicate")
    return method(padded)[..., above:, before:]
