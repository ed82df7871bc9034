"""The paper's loss terms, one function each, in its notation (II.B.b)."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

# generators start at the identity, where the gradient of a root is not finite
SMALLEST_SQUARE = 1e-12


def similarity(
    images: Tensor,
    generated: Tensor,
    unit: Tensor | float = 1.0,
    weight: Tensor | float = 1.0,
    *,
    frobenius: bool = False,
) -> Tensor:
    """L_sim, equation 2: mean distance of the images of a batch.

    The paper's equation has a Frobenius norm, its text L1. Both are computed as means, and so do
    not depend on the tile size: mean absolute difference, or root mean square of each image.

    Args:
        images, generated: (N, C, H, W).
        unit: of the differences, by band (C, 1, 1).
        weight: of each pixel, (N, 1, H, W); the paper has none.
    """
    if not frobenius:
        return (weight * (images - generated).abs() / unit).mean()
    squares = (weight * ((images - generated) / unit).square()).mean(dim=(1, 2, 3))
    return (squares + SMALLEST_SQUARE).sqrt().mean()


def total_variation(change: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """Mean absolute difference of neighbouring pixels of a change, along rows and columns.

    Usual in activation maximisation (Mahendran and Vedaldi 2015); the paper has none. Without it
    the generators lower scores by fine stripes, to which classifiers respond, although real land
    has none.

    Args:
        change: (N, C, H, W) reflectance; unit: by band, (C, 1, 1).
    """
    scaled = change / unit
    return scaled.diff(dim=-1).abs().mean() + scaled.diff(dim=-2).abs().mean()


def cycle(images: Tensor, restored: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """L_cyc, equation 3: mean absolute difference to the images after both generators."""
    return similarity(images, restored, unit)


def adversarial(patch_logits: Tensor, *, cross_entropy: bool = False) -> Tensor:
    """L_adv, equation 4, of a generator: (d(w(X)) - 1)^2 with d in (0, 1).

    The paper's text has cross entropy instead: -log d(w(X)).
    """
    if cross_entropy:
        return softplus(-patch_logits).mean()
    return (torch.sigmoid(patch_logits) - 1).square().mean()


def discrimination(real_logits: Tensor, generated_logits: Tensor) -> Tensor:
    """L_CE, equation 1, of a discriminator: real 1, generated 0; mean of both."""
    real = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    generated = binary_cross_entropy_with_logits(
        generated_logits, torch.zeros_like(generated_logits)
    )
    return (real + generated) / 2


def activation_maximisation(logits: Tensor, natural: bool, margin: float | None = None) -> Tensor:
    """L_AM, equation 5: cross entropy of the classifier's score with y = 1 (w+) or y = 0 (w-).

    Computed from logits, because the gradient of the score vanishes where it saturates.

    Args:
        logits: (N,) of images, as in the paper, or (N, H, W) local logits.
        natural: whether y is 1.
        margin: the loss is clamped where the logit is beyond this margin on the side of y;
            negative: before the decision boundary; None: not clamped.
    """
    if margin is not None:
        logits = logits.clamp(max=margin) if natural else logits.clamp(min=-margin)
    target = torch.full_like(logits, float(natural))
    return binary_cross_entropy_with_logits(logits, target)


def inactive(logits: Tensor, natural: bool, margin: float | None) -> Tensor:
    """Where the loss of `activation_maximisation` is clamped, bool of the logits' shape."""
    if margin is None:
        return torch.zeros_like(logits, dtype=torch.bool)
    return logits > margin if natural else logits < -margin
