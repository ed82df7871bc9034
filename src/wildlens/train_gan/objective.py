"""Objective of both generators: equation 6, through frozen networks.

The classifier is always frozen, the discriminators while the objective is computed; gradients pass
through them to the generators.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from wildlens.networks.device import in_precision
from wildlens.settings import Gan
from wildlens.train_gan import losses


@dataclass(frozen=True)
class Objective:
    """The networks of the objective and the weights of its terms.

    Attributes:
        discriminators: one for each generator, named `maximizer` and `minimizer`.
        unit: of similarity and cycle losses, by band (C, 1, 1) or a number for all bands.
    """

    classifier: nn.Module
    maximizer: nn.Module
    minimizer: nn.Module
    discriminators: nn.ModuleDict
    unit: Tensor | float
    settings: Gan

    def terms(
        self, images: Tensor, high: Tensor, low: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Terms of both generators by name, and the logits of X, X+ and X-, (N,).

        Args:
            images: (N, C, H, W) reflectance; `high` = w+(images), `low` = w-(images).
        """
        s = self.settings
        with torch.no_grad():
            activation, logits = self._activation(images)
        weight_high, weight_low = (
            self._similarity_weight(images, activation, natural) for natural in (True, False)
        )
        norm = {"frobenius": s.similarity == "frobenius"}
        terms = {
            "similarity_max": losses.similarity(images, high, self.unit, weight_high, **norm),
            "similarity_min": losses.similarity(images, low, self.unit, weight_low, **norm),
            "variation": losses.total_variation(high - images, self.unit)
            + losses.total_variation(low - images, self.unit),
            "cycle": losses.cycle(images, self.run(self.maximizer, low), self.unit)
            + losses.cycle(images, self.run(self.minimizer, high), self.unit),
        }
        with _frozen(self.discriminators):
            terms["adversarial"] = sum(
                losses.adversarial(
                    self.run(self.discriminators[name], generated),
                    cross_entropy=s.adversarial == "cross_entropy",
                )
                for name, generated in (("maximizer", high), ("minimizer", low))
            )
        high_activation, high_logits = self._activation(high)
        low_activation, low_logits = self._activation(low)
        terms["activation_max"] = losses.activation_maximisation(
            high_activation, natural=True, margin=s.activation_margin
        )
        terms["activation_min"] = losses.activation_maximisation(
            low_activation, natural=False, margin=s.activation_margin
        )
        return terms, {"score": logits, "score_max": high_logits, "score_min": low_logits}

    def weighted(self, terms: Mapping[str, Tensor], lambda_am: float) -> Tensor:
        """Equation 6 for both generators, summed."""
        s = self.settings
        return (
            s.lambda_sim * (terms["similarity_max"] + terms["similarity_min"])
            + s.lambda_tv * terms["variation"]
            + s.lambda_cyc * terms["cycle"]
            + s.lambda_adv * terms["adversarial"]
            + lambda_am * (terms["activation_max"] + terms["activation_min"])
        )

    def run(self, network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """A network's output, float32 for the losses, computed in the settings' precision."""
        with in_precision(self.settings.precision, images.device):
            return network(images).float()

    def _activation(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits that activation maximisation acts on, and the logits of the images, (N,)."""
        if self.settings.activation == "score":
            logits = self.run(self.classifier, images)
            return logits, logits
        local = self.run(self.classifier.local_logits, images)
        return local, local.mean(dim=(1, 2))

    def _similarity_weight(self, images: Tensor, activation: Tensor, natural: bool) -> Tensor:
        """Weight of each pixel in the similarity loss, (N, 1, H, W)."""
        inactive = losses.inactive(activation, natural, self.settings.activation_margin)
        shape = (len(images), 1, *(inactive.shape[1:] or (1, 1)))
        inactive = inactive.to(images.dtype).reshape(shape)
        return 1 + self.settings.lambda_inactive * functional.interpolate(
            inactive, images.shape[-2:]
        )


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """While the block runs, the weights get no gradients; gradients still pass through."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
