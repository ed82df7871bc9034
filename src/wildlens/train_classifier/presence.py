"""Test whether the classifier uses present or absent patterns, without land cover.

Halves of validation tiles are pasted into blank images. If the target's pieces raise the logit,
the classifier has evidence for the target. If they do not, or lower it, it distinguishes the
classes by the absence of the others' patterns: no explanation can then show the locations of the
target's patterns. Neither accuracy nor loss reveals this.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wildlens.registry import classifiers
from wildlens.settings import Classifier
from wildlens.training.data import TileSet

CELLS = 4  # along a side
LEAST_APART = 0.01  # logit by which pieces must differ to tell the classes apart
LOWEST = -10.0  # presence
MOST = 48  # tiles of the target, and of the others


@dataclass(frozen=True)
class Evidence:
    """Mean change of the logit of blank ground by pieces of the target's and of other tiles."""

    target: float
    others: float

    @property
    def presence(self) -> float:
        """Share of the target in the evidence: 0.5 if both have as much, below 0 if it has none.

        LOWEST if pieces of the target do not raise the logit above that of other pieces.
        """
        apart = self.target - self.others
        return max(self.target / apart, LOWEST) if apart > LEAST_APART else LOWEST


@torch.no_grad()
def evidence(network: nn.Module, tiles: TileSet, target: int, device, seed: int = 0) -> Evidence:
    """Evidence of a classifier on up to MOST tiles of the target, and up to MOST others."""
    labels = tiles.labels.numpy()
    generator = np.random.default_rng(seed)
    rises = []
    for chosen in (np.flatnonzero(labels == target), np.flatnonzero(labels != target)):
        images = tiles.images(chosen[:MOST]).to(device)
        rises.append(_rise(network.eval(), images, generator))
    return Evidence(*rises)


def _rise(network: nn.Module, images: Tensor, generator: np.random.Generator) -> float:
    """Mean rise of the logit when a random half of each image is pasted into a blank image."""
    side = images.shape[-1]
    cell = np.arange(side) * CELLS // side
    kept = generator.random((len(images), CELLS, CELLS)) < 0.5
    kept = torch.from_numpy(kept[:, None, cell[:, None], cell]).to(images.device)
    blank = network.standardise.mean[None, :, None, None].expand_as(images)
    logits = [network(part) for part in torch.where(kept, images, blank).split(16)]
    return (torch.cat(logits) - network(blank[:1])).mean().item()


def lacks_evidence(found: Evidence, settings: Classifier) -> bool:
    """Whether a classifier has less evidence for the target than `min_presence`.

    Never for architectures with local logits, whose logit of blank ground does not affect other
    locations.
    """
    local = classifiers.find(settings.architecture).local_logits
    return found.presence < settings.min_presence and not local


def warnings_about_evidence(found: Evidence, settings: Classifier) -> list[str]:
    """A warning if the classifier has little evidence for the target."""
    if not lacks_evidence(found, settings):
        return []
    return [
        f"pieces of target tiles change the logit of blank ground by {found.target:+.2f}, pieces"
        f" of other tiles by {found.others:+.2f} (presence {found.presence:.2f}, least"
        f" {settings.min_presence}): the classifier uses absent patterns, and maps will not show"
        " the target's patterns well; train with classifier.multiple_instance: 1,"
        " with classifier.cutmix_cells above 0, or with more classifier.restarts"
    ]
