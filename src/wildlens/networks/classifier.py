"""The two families of classifiers. Both map images to one logit: natural > 0 > anthropogenic.

With several classes it is the one-vs-rest logit of the explained class; `class_logits` are for
training only.

Every activation is a separate module that is called once; otherwise DeepLIFT is silently wrong.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from wildlens.networks.one_vs_rest import TargetLogit
from wildlens.networks.standardise import Standardise


class UNetClassifier(nn.Module):
    """Architecture of the paper's reference [3] (Stomberg et al., ASOS): U-Net, maps, small CNN.

    A U-Net with one convolution per step computes `maps` full-size maps in (-1, 1); three 5x5
    convolutions and two linear layers score them. The head flattens, so the tile side is fixed.

    Args:
        bands: input bands.
        tile_size: side of the input, px.
        width, depth: channels of the first level; number of halvings.
        maps: number of full-size maps.
        strides: strides of the head's convolutions.
        dropout: share dropped in the head; pixel_occlusion: share of map pixels dropped in half of
            the training batches, so that the logit depends on all relevant pixels.
        outputs, target: see `TargetLogit`.
    """

    def __init__(
        self,
        bands: int,
        tile_size: int,
        width: int = 8,
        depth: int = 3,
        maps: int = 3,
        strides: tuple[int, ...] = (2, 3, 2),
        dropout: float = 0.1,
        pixel_occlusion: float = 0.2,
        outputs: int = 1,
        target: int = 0,
    ):
        super().__init__()
        self.tile_size = tile_size
        self.standardise = Standardise(bands)
        self.unet = UNet(bands, maps, width, depth)
        self.occlude = PixelOcclusion(pixel_occlusion)
        self.convolutions, cells, channels = nn.ModuleList(), tile_size, maps
        for stride in strides:
            self.convolutions.append(
                nn.Sequential(
                    nn.Conv2d(channels, 2 * channels, 5, stride), nn.ReLU(), nn.Dropout(dropout)
                )
            )
            channels, cells = 2 * channels, (cells - 5) // stride + 1
        if cells < 1:
            raise ValueError(f"tiles of {tile_size} px are too small for strides {tuple(strides)}")
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * cells * cells, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(128, outputs),
        )
        self.against_rest = TargetLogit(outputs, target)

    @property
    def blocks(self) -> list[nn.Module]:
        """The maps and the convolutions of the head: GradCAM takes one (paper: the last)."""
        return [self.unet.out, *self.convolutions]

    @property
    def head_parameters(self) -> list[nn.Parameter]:
        """Parameters of all layers after the maps."""
        return [*self.convolutions.parameters(), *self.head.parameters()]

    @torch.no_grad()
    def start_as_mean(self, target: int = 0, gain: float = 3.0, noise: float = 0.1) -> None:
        """Set the head's weights such that the target's logit is about a mean over the maps.

        PyTorch's initial weights lose a factor of 3 per layer, so that all logits are similar and
        many trainings stay at chance. Here each convolution averages one of its inputs (the first
        one its positive and its negative part), and the linear layers average the cells.

        Args:
            target: the output that rises with the maps; others, if there are any, fall.
            gain: logit per map, where it is 1 everywhere.
            noise: share of the initial random weights that is kept.
        """
        for depth, (convolution, *_) in enumerate(self.convolutions):
            convolution.weight *= noise
            convolution.bias.zero_()
            area = convolution.weight[0, 0].numel()
            for channel in range(convolution.out_channels):
                negative = depth == 0 and channel % 2
                convolution.weight[channel, channel // 2] += (-1 if negative else 1) / area
        hidden, last = (layer for layer in self.head if isinstance(layer, nn.Linear))
        channels = self.convolutions[-1][0].out_channels
        cells = hidden.in_features // channels
        copies = 2 ** (len(self.convolutions) - 1)  # of a channel of the first convolution
        sign = last.weight.new_full((last.out_features, 1), -1.0)
        sign[target] = 1.0
        for layer in (hidden, last):
            layer.weight *= noise
            layer.bias.zero_()
        for unit in range(hidden.out_features):
            channel = unit % channels
            hidden.weight[unit].view(channels, cells)[channel] += 1 / cells
            share = len(range(channel, hidden.out_features, channels)) * copies
            part = -1 if channel // copies % 2 else 1
            last.weight[:, unit : unit + 1] += sign * part * gain / share

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, S, S) reflectance -> (N,) logits."""
        return self.against_rest(self.class_logits(images))

    def class_logits(self, images: Tensor) -> Tensor:
        """(N, C, S, S) reflectance -> (N, outputs) logits."""
        return self.logits_of_maps(self.activations(images))

    def logits_of_maps(self, maps: Tensor) -> Tensor:
        """(N, maps, S, S) -> (N, outputs) logits; in training, pixels of the maps are dropped."""
        return self._head(self.occlude(maps))

    def activations(self, images: Tensor) -> Tensor:
        """(N, C, S, S) reflectance -> (N, maps, S, S) in (-1, 1): the maps that are scored."""
        return self.unet(self.standardise(images))

    def score(self, features: Tensor) -> Tensor:
        """(N, maps, S, S) -> (N,) logits."""
        return self.against_rest(self._head(features))

    def _head(self, features: Tensor) -> Tensor:
        for convolution in self.convolutions:
            features = convolution(features)
        return self.head(features)


class UNet(nn.Module):
    """U-Net with one convolution per step, bilinear upsampling and tanh maps of full size."""

    def __init__(self, bands: int, maps: int, width: int, depth: int):
        super().__init__()
        # the deepest level keeps the width of the one above, as is usual with bilinear upsampling
        widths = [width * 2 ** min(level, depth - 1) for level in range(depth + 1)]
        self.stem = _step(bands, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), _step(a, b)) for a, b in itertools.pairwise(widths)
        )
        self.enlarge = nn.ModuleList(
            nn.Upsample(scale_factor=2, mode="bilinear") for _ in range(depth)
        )
        self.up, channels = nn.ModuleList(), widths[-1]
        for level in reversed(range(depth)):
            out = widths[max(level - 1, 0)]
            self.up.append(_step(channels + widths[level], out))
            channels = out
        self.out = nn.Sequential(nn.Conv2d(channels, maps, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.stem(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for enlarge, up in zip(self.enlarge, self.up, strict=True):
            x = up(torch.cat([enlarge(x), levels.pop()], dim=1))
        return self.out(x)


class PixelOcclusion(nn.Module):
    """Set a random share of the pixels of all maps to 0, in half of the training batches."""

    pointwise = True  # see networks.receptive_field

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training or self.share == 0 or torch.rand(()) < 0.5:
            return maps
        shape = (maps.shape[0], 1, *maps.shape[2:])
        return maps * (torch.rand(shape, device=maps.device) >= self.share)


class LocalClassifier(nn.Module):
    """A small receptive field; the logit of an image is the mean of its local logits.

    It accepts any image size; the local logits are a map of the evidence. With several classes, the
    evidence for each is averaged over the image, and the one-vs-rest logit is computed from the
    means.
    """

    stride = 4  # pixels along a side of a location

    def __init__(self, bands: int, width: int = 16, outputs: int = 1, target: int = 0):
        super().__init__()
        self.standardise = Standardise(bands)
        self.features = nn.Sequential(
            _step(bands, width),
            nn.AvgPool2d(2),
            _step(width, 2 * width),
            _step(2 * width, 2 * width),
            nn.AvgPool2d(2),
            _step(2 * width, 4 * width),
            _step(4 * width, 4 * width),
        )
        self.evidence = nn.Conv2d(4 * width, outputs, 1)
        self.against_rest = TargetLogit(outputs, target)

    @property
    def blocks(self) -> list[nn.Module]:
        """Convolutions with normalisation and activation: GradCAM takes the output of one."""
        return [layer for layer in self.features if isinstance(layer, nn.Sequential)]

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N,) logits."""
        return self.against_rest(self.class_logits(images))

    def class_logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N, outputs) logits."""
        return self._evidence(images).mean(dim=(2, 3))

    def local_logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N, H // 4, W // 4) logits; their mean is the image's.

        With three or more classes, their mean is at most the image's logit (Jensen's inequality).
        """
        return self.against_rest(self._evidence(images))

    def valid_logits(self, images: Tensor, valid: Tensor) -> Tensor:
        """Logits of the valid pixels of each image: missing pixels are excluded from the mean.

        The band means, which fill missing pixels, contribute evidence, too, which would dominate in
        large missing regions.

        Args:
            images: (N, C, H, W) reflectance; valid: (N, H, W) bool.

        Returns:
            (N,); of an image without a valid pixel, the logit of its filling.
        """
        evidence = self._evidence(images)
        share = functional.avg_pool2d(valid[:, None].to(evidence.dtype), self.stride)
        total = share.sum(dim=(2, 3), keepdim=True)
        share = torch.where(total > 0, share, 1)
        pooled = (evidence * share).sum(dim=(2, 3)) / share.sum(dim=(2, 3))
        return self.against_rest(pooled)

    def _evidence(self, images: Tensor) -> Tensor:
        return self.evidence(self.features(self.standardise(images)))


def _step(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, padding_mode="reflect", bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )
