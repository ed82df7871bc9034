"""`confidence`: confidence of the classifier, and maps where it is high or low."""

from typing import Annotated

from pydantic import Field

from wildlens.settings.section import Section
from wildlens.settings.types import Fraction


class Confidence(Section):
    """Confidence of the classifier, its calibration, and maps of the surest tiles."""

    shares: Annotated[list[Fraction], Field(min_length=1)] = Field(
        [0.25, 0.5, 0.75, 1.0],
        description="Shares of the test tiles, the surest first, that maps are compared on",
    )
    bins: int = Field(10, ge=2, le=100, description="Bins of the score in reliability.csv")
    temperature: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None,
        description="Divisor of the logit in calibrated scores; null: the one that fits the"
        " validation tiles best",
    )
