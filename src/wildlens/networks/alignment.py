"""Images whose sides are multiples of a network's stride."""

from torch import Tensor
from torch.nn import functional


def whole_cells(images: Tensor, multiple: int) -> Tensor:
    """(..., H, W) with the last row and column repeated until both sides are multiples."""
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    return functional.pad(images, (0, right, 0, below), "replicate") if below or right else images
