"""Baselines: images that stand for "nothing is there"."""

from torch import Tensor, nn

from wildlens.settings import Attribution


def baseline(classifier: nn.Module, settings: Attribution) -> Tensor:
    """(C, 1, 1) reflectance: 0 in all bands, or the band means of the training set."""
    mean = classifier.standardise.mean[:, None, None]
    return mean if settings.baseline == "mean" else mean * 0


def contribution_settings(classifier: nn.Module, settings: Attribution) -> dict:
    """Arguments of a `Contributions` with the one baseline of the settings."""
    return {
        "baselines": baseline(classifier, settings)[None],
        "sign_rule": settings.sign,
        "batch_size": settings.batch_size,
    }
