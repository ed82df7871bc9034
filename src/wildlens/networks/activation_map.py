"""Where a classifier itself finds patterns: the activation that it scores, one value per pixel.

The logit of both families of classifiers is computed from maps. A U-Net has few full-size maps; the
multiple-instance loss makes the highest of them high at patterns of protected tiles, and low
elsewhere (`train_classifier/multiple_instance.py`). Trained without it, their sign has no meaning.
The local classifier has local logits, whose mean is its logit.
"""

from torch import Tensor, nn
from torch.nn.functional import interpolate


def activation_map(classifier: nn.Module, images: Tensor) -> Tensor:
    """The highest full-size map, or the scores of the locations, enlarged to the image.

    Args:
        classifier: with `activations` or `local_logits` (see `registry.record.ClassifierRecord`).
        images: (N, C, H, W) reflectance.

    Returns:
        (N, H, W) in 0 to 1.
    """
    if hasattr(classifier, "activations"):
        return (1 + classifier.activations(images).amax(dim=1)) / 2
    local = classifier.local_logits(images).sigmoid()[:, None]
    return interpolate(local, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
