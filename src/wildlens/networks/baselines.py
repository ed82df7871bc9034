"""Baselines: neutral images that explanations compare an image with.

Black is not always neutral: one classifier scored it like forest (0.998), so that explanations
from this baseline show all land other than forest. Therefore the more neutral of black and the band
means is chosen on validation tiles, and the choice is stored with the classifier. A blurred image
is never chosen, however neutral its score: it keeps the colours of large patterns, so that nothing
inside them differs from it, and DeepLIFT and occlusion found little where it was chosen
(docs/method.md).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

Baseline = Callable[[Tensor], Tensor]  # (N, C, H, W) reflectance -> the same shape
NAMES = ("zero", "mean", "blurred")
CONSTANTS = ("zero", "mean")  # may be chosen as `neutral`
SIGMA = 8.0  # px, of the blur
REACH = 3  # standard deviations at which its kernel is cut
NEUTRAL = 0.5
TOLERANCE = 0.25  # of the mean score around neutral, beyond which a baseline is not neutral


def make_baseline(name: str, classifier: nn.Module) -> Baseline:
    """The baseline of this name: reflectance 0, the band means of training, or the blurred image.

    `neutral` is the one that was stored with the classifier; of a classifier without it, zero or
    mean, whose score is nearer to neutral.
    """
    if name == "neutral":
        name = getattr(classifier, "neutral_baseline", None) or _nearest_constant(classifier)
    if name == "blurred":
        return blur
    mean = classifier.standardise.mean[:, None, None]
    return (mean if name == "mean" else mean * 0).expand_as


def blur(images: Tensor) -> Tensor:
    """Gaussian blur of SIGMA px, reflected at the border; shapes and mean colours stay."""
    radius = min(int(REACH * SIGMA), min(images.shape[-2:]) - 1)
    at = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(at**2) / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum())[None, None, None]
    flat = images.reshape(-1, 1, *images.shape[-2:])
    flat = conv2d(pad(flat, (radius, radius, 0, 0), "reflect"), kernel)
    flat = conv2d(pad(flat, (0, 0, radius, radius), "reflect"), kernel.mT)
    return flat.reshape(images.shape)


@torch.no_grad()
def distances_from_neutral(
    classifier: nn.Module, images: Tensor, names: tuple[str, ...] = NAMES
) -> dict[str, float]:
    """Mean distance of each baseline's score from 0.5 over images (N, C, H, W), by its name."""
    found = {}
    for name in names:
        made = make_baseline(name, classifier)(images)
        made = made if name == "blurred" else made[:1]
        scores = torch.cat([classifier(part) for part in made.split(16)]).sigmoid()
        found[name] = (scores - NEUTRAL).abs().mean().item()
    return found


def most_neutral(distances: Mapping[str, float]) -> str:
    """The constant baseline with the smallest distance."""
    return min(CONSTANTS, key=distances.__getitem__)


def warnings_about_baselines(distances: Mapping[str, float]) -> list[str]:
    """A warning if even the more neutral constant baseline is far from neutral."""
    best = most_neutral(distances)
    if distances[best] <= TOLERANCE:
        return []
    listed = ", ".join(f"{name} {distance:.2f}" for name, distance in distances.items())
    return [
        f"no baseline is neutral to this classifier (distance of the score from 0.5: {listed}):"
        " DeepLIFT, integrated gradients and occlusion compare with an image that has a class of"
        " its own"
    ]


def _nearest_constant(classifier: nn.Module) -> str:
    mean = classifier.standardise.mean
    side = getattr(classifier, "tile_size", 64)
    image = mean.new_zeros((1, len(mean), side, side))
    return most_neutral(distances_from_neutral(classifier, image, CONSTANTS))
