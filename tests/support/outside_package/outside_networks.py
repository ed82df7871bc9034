"""A plain torch module: from standardised images to logits."""

from torch import nn


class TwoLayers(nn.Module):
    """Two convolutions and the mean over the tile, (N, bands, S, S) -> (N, outputs)."""

    def __init__(self, bands: int, tile_size: int, outputs: int, channels: int = 8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(bands, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, outputs, 3, padding=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )

    def forward(self, images):
        return self.layers(images)
