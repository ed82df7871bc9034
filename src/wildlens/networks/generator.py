"""Pattern-maximizer and pattern-minimizer: ResNets that add a bounded change to an image.

They use batch normalisation, which is fixed at inference, so that windows with halos give the same
values as one pass over the whole scene (not possible with instance normalisation).
"""

from functools import cached_property

import torch
from torch import Tensor, nn

from wildlens.networks.alignment import whole_cells
from wildlens.networks.receptive_field import reach
from wildlens.networks.standardise import Standardise

BOUND = 3.0  # largest change of a pixel, in standard deviations of its band


class Generator(nn.Module):
    """ResNet generator (paper, II.B.a and Fig. 2): stem, halvings, residual blocks, enlargements.

    The output is the input plus a bounded change. The last layer starts at zero, so training starts
    from the identity, which is what pre-training aims at.

    Args:
        bands: bands in and out.
        width: channels at full size, doubled at each halving.
        downsamplings: number of halvings (the paper's figure has 3, the usual CycleGAN 2).
        blocks: residual blocks (paper: 12).
    """

    def __init__(self, bands: int, width: int = 8, downsamplings: int = 1, blocks: int = 12):
        super().__init__()
        self.downsamplings, self.blocks = downsamplings, blocks
        self.standardise = Standardise(bands)
        layers = [_layer(bands, width, 7)]
        for level in range(downsamplings):
            layers.append(_layer(width * 2**level, width * 2 ** (level + 1), 3, stride=2))
        layers += [ResidualBlock(width * 2**downsamplings) for _ in range(blocks)]
        for level in reversed(range(downsamplings)):
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
            layers.append(_layer(width * 2 ** (level + 1), width * 2**level, 3))
        last = nn.Conv2d(width, bands, 7, padding=3, padding_mode="reflect")
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    @property
    def multiple(self) -> int:
        """Windows must start at multiples of this many pixels to be exact."""
        return 2**self.downsamplings

    @cached_property
    def halo(self) -> int:
        """Pixels around an output pixel on which it can depend, rounded up to `multiple`."""
        return -(-reach(self.layers, self.multiple) // self.multiple) * self.multiple

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N, C, H, W) reflectance."""
        change = self.layers(whole_cells(self.standardise(images), self.multiple))
        height, width = images.shape[-2:]
        change = BOUND * torch.tanh(change[..., :height, :width] / BOUND)
        return images + change * self.standardise.sd[:, None, None]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to their input."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _layer(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(
        channels, out, kernel, stride, padding=kernel // 2, padding_mode="reflect", bias=False
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())
