"""Result of a check before a run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Text and state of a check: `ok`, `note` (slower, or not needed) or `fix`."""

    state: Literal["ok", "note", "fix"]
    text: str
