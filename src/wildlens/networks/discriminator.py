"""The 70x70 PatchGAN: classifies patches as real or generated (Isola et al. 2017; paper, III.B)."""

from torch import Tensor, nn

from wildlens.networks.standardise import Standardise


class PatchDiscriminator(nn.Module):
    """Five 4x4 convolutions; each output has a receptive field of 70x70 px.

    There is no normalisation, since with small batches the batch statistics alone would distinguish
    real from generated patches.
    """

    def __init__(self, bands: int, width: int = 8):
        super().__init__()
        self.standardise = Standardise(bands)
        channels = [bands, width, 2 * width, 4 * width, 8 * width]
        strides = [2, 2, 2, 1]
        layers: list[nn.Module] = []
        for a, b, stride in zip(channels[:-1], channels[1:], strides, strict=True):
            layers += [nn.Conv2d(a, b, 4, stride, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, 1, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N, 1, H / 8 - 2, W / 8 - 2) logits: real > 0."""
        return self.layers(self.standardise(images))
