"""The image w+(X), X+, of the pattern-maximizer for a scene (paper, II.B)."""

from wildlens.methods.generated import Generated
from wildlens.settings import Attribution


def create(models, settings: Attribution) -> Generated:
    """The trained pattern-maximizer."""
    return Generated(models.generators[0])
