"""Sign rules: treatment of negative contributions to the score, the same for all methods."""

from torch import Tensor

RULES = {
    "positive": "0 or more; high where the pixel raises the score; negative contributions cut",
    "absolute": "0 or more; high where the pixel changes the score, up or down",
    "signed": "high where the pixel raises the score; negative where it lowers it",
}


def apply(rule: str, contributions: Tensor) -> Tensor:
    """Contributions summed over bands, any shape, by one of RULES."""
    if rule == "positive":
        return contributions.clamp(min=0)
    return contributions.abs() if rule == "absolute" else contributions
