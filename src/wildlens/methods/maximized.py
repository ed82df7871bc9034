"""The image w+(X), X+: what the pattern-maximizer makes of the scene (paper, II.B)."""

from wildlens.methods.generated import Generated
from wildlens.settings import Attribution


def create(models, settings: Attribution) -> Generated:
    """The trained pattern-maximizer."""
    return Generated(models.generators[0])
