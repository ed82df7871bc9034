"""Activation-space occlusion sensitivity (ASOS; Stomberg et al. 2022, the paper's reference [3]).

The paper's classifier reduces an image to a few full-size maps, so each pixel is a
point in a small space. The importance of a region of that space is measured on training tiles: all
pixels of a tile whose point is in one cell are occluded, and the drop of the logit is divided by
their share of the tile. Every pixel then gets the importance of its cell: a map at full resolution.

Occluded pixels are 0 in all maps, which the head was trained to take as missing (pixel occlusion).
The local classifier is refused: its logit is linear in its local logits, so that occluding them
would return the local logits themselves, at a quarter of the resolution.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from wildlens.attribution.method import Method
from wildlens.errors import WildLensError
from wildlens.progress import track
from wildlens.settings import Attribution

MOST_CELLS = 2**20


@dataclass(frozen=True)
class ActivationOcclusion(Method):
    """The importance of the cell of activation space that contains each pixel.

    Attributes:
        importance: (bins ** maps,) drop of the logit by share of a tile; of cells without a pixel
            in the training tiles, that of the nearest known cell.
        bins: cells along each axis of activation space.
    """

    classifier: nn.Module
    importance: np.ndarray
    bins: int

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        cells = cells_of(self.classifier.activations(images), self.bins).cpu().numpy()
        values = self.importance[cells].astype(np.float32)
        return torch.from_numpy(values).to(images.device)


def cells_of(maps: Tensor, bins: int) -> Tensor:
    """Number of the cell of each pixel, (N, maps, H, W) in (-1, 1) -> (N, H, W) int64."""
    axes = ((maps + 1) / 2 * bins).long().clamp(0, bins - 1)
    cells = torch.zeros_like(axes[:, 0])
    for axis in axes.unbind(dim=1):
        cells = cells * bins + axis
    return cells


@torch.inference_mode()
def measure(
    classifier: nn.Module, images: Tensor, bins: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Drop of the logit and share of the tile, both summed over tiles, (bins ** maps,) float64."""
    size = bins ** count_maps(classifier, images)
    fall, share = np.zeros(size), np.zeros(size)
    for image in track(images, "activation_occlusion: cells", unit="tiles"):
        maps = classifier.activations(image[None])
        cells = cells_of(maps, bins)
        found, counts = cells.unique(return_counts=True)
        scores = [
            classifier.score(maps * (cells != chunk[:, None, None])[:, None])
            for chunk in found.split(batch_size)
        ]
        falls = classifier.score(maps) - torch.cat(scores)
        fall[found.cpu().numpy()] += falls.double().cpu().numpy()
        share[found.cpu().numpy()] += counts.double().cpu().numpy() / cells.numel()
    return fall, share


def fill(fall: np.ndarray, share: np.ndarray, bins: int, maps: int) -> np.ndarray:
    """The importance of every cell, (bins ** maps,): without a pixel, the nearest one's."""
    known = np.flatnonzero(share)
    cells = np.stack(np.unravel_index(np.arange(fall.size), (bins,) * maps), axis=1)
    _, nearest = cKDTree(cells[known]).query(cells)
    return (fall[known] / share[known])[nearest]


@torch.inference_mode()
def count_maps(classifier: nn.Module, images: Tensor) -> int:
    """Number of full-size maps, which is the dimension of activation space."""
    return classifier.activations(images[:1]).shape[1]


def create(models, settings: Attribution) -> ActivationOcclusion:
    """The method on a classifier of the paper's form, measured on training tiles."""
    classifier, bins = models.classifier, settings.activation_bins
    if not hasattr(classifier, "activations"):
        raise WildLensError(
            "method 'activation_occlusion': the classifier has no full-size maps to occlude, only "
            "architecture 'unet' has; its evidence is what 'gradcam' shows"
        )
    images = models.training_images(settings.activation_tiles, settings.seed)
    maps = count_maps(classifier, images)
    if bins**maps > MOST_CELLS:
        raise WildLensError(
            f"method 'activation_occlusion': {bins}^{maps} cells are too many; lower "
            "attribution.activation_bins, or classifier.maps"
        )
    measured = measure(classifier, images, bins, settings.batch_size)
    return ActivationOcclusion(classifier, fill(*measured, bins, maps), bins)
