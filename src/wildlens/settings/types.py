"""Types of values that several sections use."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from wildlens.legend import CORINE

Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# Number of trainings. No training depends on it, so that a further member retrains none: fields of
# this type are excluded from the sections that are written for the steps (`exclude=True`).
Members = Annotated[int, Field(ge=1, le=100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=120)]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,_.-]*$", max_length=60)]
Band = Literal[
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"
]  # fmt: skip
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Clip = tuple[Longitude, Latitude, Longitude, Latitude]
Address = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2000)]
MgrsTile = Annotated[str, Field(pattern=r"^\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]$")]


def _code(value: Any) -> Any:
    """Refuse a whole number that is no code of CORINE."""
    if isinstance(value, int) and value not in _CODES:
        zero = ", without a leading zero" if value < min(_CODES) else ""
        raise ValueError(f"{value} is no CORINE code (111 to 523{zero}) or group (1 to 52)")
    return value


def _classes(value: Any) -> Any:
    """CORINE codes of a list in which 1 and 33 stand for all classes under them."""
    if not isinstance(value, list):
        return value
    codes = []
    for entry in value:
        group = str(entry) if isinstance(entry, int) and 0 < entry < 100 else None
        under = [c.code for c in CORINE.classes if group and str(c.code).startswith(group)]
        codes += under or [entry]
    return list(dict.fromkeys(codes)) if all(isinstance(c, int) for c in codes) else codes


_CODES = frozenset(c.code for c in CORINE.classes)
CorineCode = Annotated[int, Field(ge=111, le=523), BeforeValidator(_code)]
CorineCodes = Annotated[list[CorineCode], BeforeValidator(_classes)]

Precision = Literal["float32", "bfloat16"]
PRECISION = "What convolutions are computed in; bfloat16 is faster on GPUs, see docs/cluster.md"
