"""The trained networks and training tiles that methods use."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import xarray
from torch import Tensor, nn

from wildlens.attribution.randomisation import randomised
from wildlens.errors import WildLensError
from wildlens.files.model_metadata import check_pair
from wildlens.files.origin import origin_of_models
from wildlens.networks import weights
from wildlens.networks.images import to_images
from wildlens.tiles.store import open_tiles


@dataclass(frozen=True)
class Models:
    """The trained networks, read when a method asks for them.

    Raises:
        WildLensError: the generators were trained through another classifier.
    """

    classifier_path: Path
    generators_path: Path | None
    device: torch.device
    tiles_path: Path | None = None
    weights_seed: int | None = None  # if set, the classifier has random weights

    def __post_init__(self) -> None:
        check_pair(self.classifier_path, self.generators_path)

    @cached_property
    def classifier(self) -> nn.Module:
        """Frozen, in eval mode."""
        network = weights.load_classifier(self.classifier_path)
        if self.weights_seed is not None:
            network = randomised(network, self.weights_seed)
        return network.to(self.device)

    @cached_property
    def generators(self) -> tuple[nn.Module, nn.Module]:
        """(maximizer, minimizer), frozen, in eval mode."""
        if self.generators_path is None:
            raise WildLensError("this method needs the generators: give --generators")
        maximizer, minimizer = weights.load_generators(self.generators_path)
        if maximizer.bands != self.classifier.bands:
            raise WildLensError(
                f"{self.generators_path}: bands {maximizer.bands} are not those of the classifier "
                f"({self.classifier.bands})"
            )
        return maximizer.to(self.device), minimizer.to(self.device)

    @cached_property
    def training_tiles(self) -> xarray.Dataset:
        """The training split of the tiles, both labels; its arrays are read when they are used."""
        tiles = self.open_tiles()
        return tiles.isel(tile=np.flatnonzero(tiles["split"].values == "train"))

    def open_tiles(self) -> xarray.Dataset:
        """All tiles; refused where their bands are not those of the classifier."""
        if self.tiles_path is None:
            raise WildLensError("this method looks at training tiles: give --tiles")
        tiles = open_tiles(self.tiles_path)
        bands = tiles["band"].values.tolist()
        if bands != list(self.classifier.bands):
            raise WildLensError(
                f"{self.tiles_path}: bands {bands}, but the classifier takes "
                f"{self.classifier.bands}"
            )
        return tiles

    def training_images(self, count: int, seed: int) -> Tensor:
        """A seeded choice of up to `count` training tiles, (B, C, H, W) float32 reflectance."""
        tiles = self.training_tiles
        total = tiles.sizes["tile"]
        rows = np.random.default_rng(seed).permutation(total)[:count]
        stored = tiles["reflectance"].isel(tile=np.sort(rows)).values
        images, _ = to_images(stored, self.classifier.standardise.mean.cpu())
        return images.to(self.device)

    @property
    def origin(self) -> str:
        """What the networks were trained on, in words."""
        return origin_of_models(filter(None, (self.classifier_path, self.generators_path)))

    @property
    def paths(self) -> list[Path]:
        """The files that were given, for provenance."""
        given = (self.classifier_path, self.generators_path, self.tiles_path)
        return [path for path in given if path is not None]
