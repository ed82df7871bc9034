"""`demo`: the simulated region."""

from pydantic import Field

from wildlens.settings.section import Section
from wildlens.settings.types import Seed


class Demo(Section):
    """The simulated region of the embedded default."""

    seed: Seed = Field(0, description="Seed of the landscape")
    contrast: float = Field(
        1.0,
        ge=0,
        le=2,
        description="Spectral contrast between bog and heath and between rock and sand, as a"
        " multiple of the default: lower is more difficult",
    )
    size: int = Field(3072, ge=256, le=10980, multiple_of=2, description="Training scene side, px")
    mapping_size: int = Field(1024, ge=256, le=10980, multiple_of=2, description="Mapped side, px")
