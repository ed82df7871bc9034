"""Settings of methods that compare an image with a baseline."""

from torch import nn

from wildlens.networks.baselines import make_baseline
from wildlens.settings import Attribution


def contribution_settings(classifier: nn.Module, settings: Attribution) -> dict:
    """Arguments of a `Contributions` with the baseline of the settings."""
    return {
        "baselines": make_baseline(settings.baseline, classifier),
        "sign_rule": settings.sign,
        "batch_size": settings.batch_size,
    }
