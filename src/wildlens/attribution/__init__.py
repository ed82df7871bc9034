"""Attribution methods by one protocol, one file each.

A method is a callable from images to attributions that says in which unit, with which sign, and how
much context it needs. Its module offers `create(models, settings)`; the name of the module is the
name of the method.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from wildlens.errors import WildLensError
from wildlens.networks import files
from wildlens.settings import EXTRAS, METHODS, Attribution


class Method(Protocol):
    """What every attribution method is.

    Attributes:
        unit: unit of the attribution, in words.
        sign: what high and low values mean, in words.
        halo: pixels around a pixel on which its attribution depends; None if on the whole tile.
        multiple: windows with a halo must start at multiples of this many pixels.
        overlap: optional; overlap of whole tiles, px, where it must be another than the settings'.
        form: optional; "image" if it gives (N, C, H, W) reflectance and no attribution.
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

    @cached_property
    def classifier(self) -> nn.Module:
        """Frozen, in eval mode."""
        return files.load_classifier(self.classifier_path).to(self.device)

    @cached_property
    def generators(self) -> tuple[nn.Module, nn.Module]:
        """(maximizer, minimizer), frozen, in eval mode."""
        if self.generators_path is None:
            raise WildLensError("this method needs the generators: give --generators")
        maximizer, minimizer = files.load_generators(self.generators_path)
        if maximizer.bands != self.classifier.bands:
            raise WildLensError(
                f"{self.generators_path}: bands {maximizer.bands} are not those of the classifier "
                f"({self.classifier.bands})"
            )
        return maximizer.to(self.device), minimizer.to(self.device)

    @property
    def paths(self) -> list[Path]:
        """The files that were given, for provenance."""
        given = (self.classifier_path, self.generators_path)
        return [path for path in given if path is not None]


def create(name: str, models: Models, settings: Attribution) -> Method:
    """The method of this name, ready to be called."""
    known = (*METHODS, *EXTRAS)
    if name not in known:
        raise WildLensError(f"unknown method '{name}'; known are {', '.join(known)}")
    return importlib.import_module(f"wildlens.attribution.{name}").create(models, settings)


def describe(method: Method, name: str) -> Mapping[str, str]:
    """What a result says of its method."""
    return {"wildlens_method": name, "unit": method.unit, "sign": method.sign}
