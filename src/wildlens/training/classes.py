"""Classes of a classifier: logits, losses and accuracy.

For protected against anthropogenic land one logit suffices: the paper's classifier. With more
classes, or with another target, each class has a logit, and the loss is softmax cross entropy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from wildlens.errors import WildLensError
from wildlens.settings import TWO_CLASSES


@dataclass(frozen=True)
class Classes:
    """Names of the classes, in order of their labels, and the target that is explained."""

    names: Sequence[str]
    target: str

    def __post_init__(self):
        if self.target not in self.names:
            raise WildLensError(
                f"classifier.target: '{self.target}' is no class of the tiles; these are "
                f"{', '.join(self.names)}"
            )

    @property
    def number(self) -> int:
        """The label of the target."""
        return list(self.names).index(self.target)

    @property
    def outputs(self) -> int:
        """Number of logits: one for protected against anthropogenic, else one per class."""
        alone = tuple(self.names) == TWO_CLASSES and self.target == TWO_CLASSES[1]
        return 1 if alone else len(self.names)

    def targets(self, labels: Tensor) -> Tensor:
        """Labels (N,) as fractions that CutMix can mix: (N,) of the target, or (N, classes)."""
        return labels if self.outputs == 1 else one_hot(labels.long(), self.outputs).float()

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy of (N, outputs) logits with fractions in the form of `targets`."""
        if self.outputs == 1:
            return binary_cross_entropy_with_logits(logits.squeeze(1), targets)
        return cross_entropy(logits, targets)

    def predicted(self, logits: Tensor) -> Tensor:
        """Class with the highest score, (N, outputs) -> labels (N,) int64."""
        return (logits[:, 0] > 0).long() if self.outputs == 1 else logits.argmax(dim=1)

    def accuracy(self, logits: Tensor, labels: Tensor) -> float:
        """Share of the tiles whose predicted class is their label."""
        return (self.predicted(logits) == labels.long()).float().mean().item()

    def confusion(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Number of tiles by label (rows) and prediction (columns), (classes, classes) int64."""
        count = len(self.names)
        cells = labels.long() * count + self.predicted(logits)
        return torch.bincount(cells, minlength=count * count).reshape(count, count)
