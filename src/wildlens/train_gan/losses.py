"""The paper's loss terms, one function each, in its notation (II.B.b)."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

# generators start at the identity, where a root has no slope that is a number
SMALLEST_SQUARE = 1e-12


def similarity(
    images: Tensor,
    generated: Tensor,
    unit: Tensor | float = 1.0,
    weight: Tensor | float = 1.0,
    *,
    frobenius: bool = False,
) -> Tensor:
    """L_sim, equation 2: a distance in units of `unit` (by band, (C, 1, 1)), mean over the batch.

    The paper writes a Frobenius norm and says L1. L1 is the mean absolute difference; the norm of
    an image is its root mean square: both as means, which makes them free of the tile size.

    Args:
        weight: of each pixel, (N, 1, H, W); the paper has none.
    """
    if not frobenius:
        return (weight * (images - generated).abs() / unit).mean()
    squares = (weight * ((images - generated) / unit).square()).mean(dim=(1, 2, 3))
    return (squares + SMALLEST_SQUARE).sqrt().mean()


def cycle(images: Tensor, restored: Tensor, unit: Tensor | float = 1.0) -> Tensor:
    """L_cyc, equation 3: the mean absolute difference after both generators."""
    return similarity(images, restored, unit)


def adversarial(patch_logits: Tensor, *, cross_entropy: bool = False) -> Tensor:
    """L_adv, equation 4, for the generator: (d(w(X)) - 1)^2 with d in (0, 1).

    The paper's text says cross entropy, which is -log d(w(X)).
    """
    if cross_entropy:
        return softplus(-patch_logits).mean()
    return (torch.sigmoid(patch_logits) - 1).square().mean()


def discrimination(real_logits: Tensor, generated_logits: Tensor) -> Tensor:
    """L_CE, equation 1, for the discriminator: real 1, generated 0; mean of both halves."""
    real = binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    generated = binary_cross_entropy_with_logits(
        generated_logits, torch.zeros_like(generated_logits)
    )
    return (real + generated) / 2


def activation_maximisation(logits: Tensor, natural: bool, margin: float | None = None) -> Tensor:
    """L_AM, equation 5: cross entropy of the classifier's score with y = 1 (w+) or y = 0 (w-).

    From logits, since the score saturates and its gradient would vanish. Of any shape: (N,) of
    images as in the paper, or (N, H, W) of places, where it is the mean over all places.

    Args:
        margin: logit past 0, on the wanted side, beyond which nothing is gained (below 0: before
            0 is reached); none: no end.
    """
    if margin is not None:
        logits = logits.clamp(max=margin) if natural else logits.clamp(min=-margin)
    target = torch.full_like(logits, float(natural))
    return binary_cross_entropy_with_logits(logits, target)


def at_rest(logits: Tensor, natural: bool, margin: float | None) -> Tensor:
    """Where `activation_maximisation` has nothing to gain, bool: past its margin."""
    if margin is None:
        return torch.zeros_like(logits, dtype=torch.bool)
    return logits > margin if natural else logits < -margin
