"""Schedules of the two phases: weight of activation maximisation, and learning rate."""

from wildlens.settings import Gan


def activation_weight(step: int, settings: Gan) -> float:
    """lambda_am at a step (from 0): 0 in pre-training, then a linear rise over `ramp_steps`."""
    after = step - settings.pretraining_steps
    if after < 0:
        return 0.0
    if settings.ramp_steps == 0:
        return settings.lambda_am
    return settings.lambda_am * min(1.0, (after + 1) / settings.ramp_steps)


def rate_factor(step: int, settings: Gan) -> float:
    """Factor of the rate at a step (from 0): 1 until `decay_from`, then falling linearly to 0."""
    start = settings.decay_from * settings.steps
    if step < start:
        return 1.0
    return (settings.steps - step) / (settings.steps - start)
