"""One-vs-rest logit of the explained class."""

from torch import Tensor, nn


class TargetLogit(nn.Module):
    """Logits of all classes -> the logit of one class against the rest, log p / (1 - p).

    Under the softmax, log p / (1 - p) = z_t - logsumexp of the others. It is above 0 where the
    target is likelier than all others together. Explanation methods see only this output, for any
    number of classes.

    The sum is computed step by step: log(e^a + e^b) = a + softplus(b - a). Thus the only
    nonlinearity is a module for which captum has a rule, with one instance per call (see
    `attribution.supported`), and DeepLIFT's contributions are complete.

    Args:
        outputs: logits of the classifier; with one, it is that of the target already.
        target: which of several is explained.
    """

    def __init__(self, outputs: int = 1, target: int = 0):
        super().__init__()
        if not 0 <= target < outputs:
            raise ValueError(f"class {target} is none of {outputs}")
        self.target = target
        self.others = [k for k in range(outputs) if k != target]
        self.softplus = nn.ModuleList(nn.Softplus() for _ in self.others[1:])

    def forward(self, logits: Tensor) -> Tensor:
        """(N, outputs, ...) -> (N, ...)."""
        if not self.others:
            return logits.squeeze(1)
        rest = logits[:, self.others[0]]
        for softplus, other in zip(self.softplus, self.others[1:], strict=True):
            rest = rest + softplus(logits[:, other] - rest)
        return logits[:, self.target] - rest
