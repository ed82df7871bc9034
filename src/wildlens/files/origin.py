"""Where a training set, and a model that was trained on it, comes from: region, dates, scenes.

The step that makes a training set writes it into the set's attributes; the trainings copy it into
the metadata of the model file, so that it travels with the model; maps state it in a tag, in words.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wildlens.files.model_metadata import read_model_metadata

KEY = "wildlens_origin"  # attribute of a training set, and key in a model's metadata: JSON
TAG = "wildlens_trained_on"  # tag of a map, attribute of attributions: in words
WARNING_TAG = "wildlens_warning"  # tag of a map of a scene that is unlike the training tiles
UNKNOWN = "origin unknown: the model file does not state what it was trained on"
SIMULATED = "trained on simulated land"

_Degrees = Annotated[float, Field(ge=-180, le=180)]


class Origin(BaseModel):
    """What the tiles of the training split are.

    Attributes:
        tiles, scenes: their numbers; scenes is 0 if unknown.
        first, last: days of the first and last acquisition; None if unknown.
        bounds: west, south, east, north in degrees; west is greater than east where they cross the
            antimeridian. None if unknown.
        simulated: whether any of the scenes is simulated, as those of the demo are.
        dataset: name of a published dataset; empty for tiles that were cut from scenes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    tiles: int = Field(ge=1)
    scenes: int = Field(0, ge=0)
    first: date | None = None
    last: date | None = None
    bounds: tuple[_Degrees, _Degrees, _Degrees, _Degrees] | None = None
    simulated: bool = False
    dataset: str = Field("", pattern=r"^[\w .-]{0,60}$")

    def attributes(self) -> dict[str, str]:
        """Attributes of a training set and metadata of a model: one key with JSON."""
        return {KEY: self.model_dump_json()}

    def in_words(self) -> str:
        """Such as 'trained on 812 tiles of 4 scenes, 2018-07-12 to 2023-07-19, 65.1-66.0 N ...'.

        Dates and location of simulated land are invented, and left out.
        """
        count = f"{self.tiles} tile{'s' * (self.tiles > 1)}"
        if self.scenes:
            count += f" of {self.scenes} scene{'s' * (self.scenes > 1)}"
        if self.dataset:
            count += f" of {self.dataset}"
        if self.simulated:
            return f"{SIMULATED} ({count})"
        days = [str(day) for day in dict.fromkeys((self.first, self.last)) if day]
        region = "" if self.bounds is None else _region(*self.bounds)
        return f"trained on {', '.join(filter(None, (count, ' to '.join(days), region)))}"


def read_origin(metadata: Mapping[str, str]) -> Origin | None:
    """The origin in a training set's attributes or a model's metadata.

    None if there is none, as in files of earlier versions, or if it is invalid.
    """
    try:
        return Origin.model_validate_json(metadata[KEY])
    except (KeyError, ValidationError):
        return None


def copied(attributes: Mapping[str, str]) -> dict[str, str]:
    """What a model's metadata take over from its training set's attributes."""
    found = read_origin(attributes)
    return found.attributes() if found else {}


def in_words(metadata: Mapping[str, str]) -> str:
    """A model's origin as text; `UNKNOWN` without one."""
    found = read_origin(metadata)
    return found.in_words() if found else UNKNOWN


def origin_of_models(paths: Iterable[Path]) -> str:
    """Origin of models that were used together, in words: one text if it is the same for all.

    Args:
        paths: safetensors files; only their metadata are read.
    """
    texts = {path.stem: in_words(read_model_metadata(path)) for path in paths}
    if len(set(texts.values())) <= 1:
        return next(iter(texts.values()), "")
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def _region(west: float, south: float, east: float, north: float) -> str:
    return f"{_span(south, north, 'NS')} {_span(west, east, 'EW')}"


def _span(low: float, high: float, letters: str) -> str:
    """Both ends in degrees with a decimal: '65.1-66.0 N', '12.5-10.0 S', '1.0 S to 2.0 N'."""
    ends = [f"{abs(value):.1f}" for value in (low, high)]
    sides = [letters[value < 0] for value in (low, high)]
    if sides[0] == sides[1]:
        return f"{'-'.join(ends)} {sides[0]}"
    return " to ".join(f"{end} {side}" for end, side in zip(ends, sides, strict=True))
