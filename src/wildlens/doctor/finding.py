"""What a check before a run found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What was checked, and its state: `ok`, `note` (slower, or not needed) or `fix`."""

    state: Literal["ok", "note", "fix"]
    text: str
