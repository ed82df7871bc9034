"""Standardisation by band as part of a network, so that its statistics are saved with it."""

import torch
from torch import Tensor, nn


class Standardise(nn.Module):
    """(x - mean) / sd by band; the statistics are buffers, so that they are saved with the weights.

    Args:
        bands: number of bands. The statistics start at mean 0, sd 1; see `set_statistics`.
    """

    pointwise = True  # see networks.receptive_field

    def __init__(self, bands: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("sd", torch.ones(bands))

    def set_statistics(self, mean: Tensor, sd: Tensor) -> None:
        """Take band means and standard deviations, both (C,), reflectance."""
        self.mean.copy_(mean)
        self.sd.copy_(sd)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> same shape, in standard deviations from the band mean."""
        return (images - self.mean[:, None, None]) / self.sd[:, None, None]
