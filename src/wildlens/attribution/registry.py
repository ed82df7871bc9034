"""Attribution methods by one protocol, one file each.

A method is a callable from images to attributions that says in which unit, with which sign, and how
much context it needs. Its module offers `create(models, settings)`; the name of the module is the
name of the method. With `_randomised` behind it, the same method explains a classifier of random
weights: a control. Generators have no such control, for they are nothing until they are trained,
and training them through a random classifier would be another experiment.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import xarray
from torch import Tensor, nn

from wildlens.attribution.randomisation import randomised
from wildlens.attribution.symmetry_mean import SymmetryMean, symmetric
from wildlens.errors import WildLensError
from wildlens.networks import weights
from wildlens.networks.images import to_images
from wildlens.networks.symmetries import COUNT
from wildlens.settings import EXTRAS, METHODS, RANDOMISED, Attribution
from wildlens.tiles.store import open_tiles


class Method(Protocol):
    """What every attribution method is.

    Attributes:
        unit: unit of the attribution, in words.
        sign: what high and low values mean, in words.
        halo: pixels around a pixel on which its attribution depends; None if on the whole tile.
        multiple: windows with a halo must start at multiples of this many pixels.

    What may be there: `overlap` (of whole tiles, px, where it must be another than the settings'),
    `form` ("image" if it gives (N, C, H, W) reflectance and no attribution); for the tables,
    `sign_rule` (key of `signs.RULES`, where the settings choose the sign), `baseline_name` (where
    the baseline is not that of the settings), and `reads` (the variable of the tiles that is taken
    in place of reflectance).
    """

    unit: str
    sign: str
    halo: int | None
    multiple: int

    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 reflectance -> (N, H, W) float32."""
        ...


@dataclass(frozen=True)
class Models:
    """The trained networks, read when a method asks for them."""

    classifier_path: Path
    generators_path: Path | None
    device: torch.device
    tiles_path: Path | None = None
    weights_seed: int | None = None  # of a classifier that forgets what it has learnt

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
        if self.tiles_path is None:
            raise WildLensError("this method looks at training tiles: give --tiles")
        tiles = open_tiles(self.tiles_path)
        bands = tiles["band"].values.tolist()
        if bands != list(self.classifier.bands):
            raise WildLensError(
                f"{self.tiles_path}: bands {bands}, but the classifier takes "
                f"{self.classifier.bands}"
            )
        return tiles.isel(tile=np.flatnonzero(tiles["split"].values == "train"))

    def training_images(self, count: int, seed: int) -> Tensor:
        """A seeded choice of up to `count` training tiles, (B, C, H, W) float32 reflectance."""
        tiles = self.training_tiles
        total = tiles.sizes["tile"]
        rows = np.random.default_rng(seed).permutation(total)[:count]
        stored = tiles["reflectance"].isel(tile=np.sort(rows)).values
        images, _ = to_images(stored, self.classifier.standardise.mean.cpu())
        return images.to(self.device)

    @property
    def paths(self) -> list[Path]:
        """The files that were given, for provenance."""
        given = (self.classifier_path, self.generators_path, self.tiles_path)
        return [path for path in given if path is not None]


def create(name: str, models: Models, settings: Attribution) -> Method:
    """The method of this name, ready to be called."""
    known = (*METHODS, *EXTRAS)
    if name not in known:
        raise WildLensError(f"unknown method '{name}'; known are {', '.join(known)}")
    module = name.removesuffix(RANDOMISED)
    if module != name:
        models = replace(models, weights_seed=settings.seed)
    method = importlib.import_module(f"wildlens.methods.{module}").create(models, settings)
    return method if name in EXTRAS else symmetric(method, settings.symmetries)


def describe(method: Method, name: str, settings: Attribution) -> Mapping[str, str]:
    """What a result says of its method."""
    against_settings = settings.baseline if hasattr(method, "baseline") else "none"
    return {
        "wildlens_method": name,
        "unit": method.unit,
        "sign": method.sign,
        "sign_rule": getattr(method, "sign_rule", "fixed by the method"),
        "baseline": getattr(method, "baseline_name", against_settings),
        "symmetries": str(COUNT if isinstance(method, SymmetryMean) else 1),
    }
