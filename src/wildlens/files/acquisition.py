"""When a scene was sensed, from the tags of its raster."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

SENSED = "product_sensing_time"  # tag of a scene: times of its products, joined by ' + '
TIME = "wildlens_time"  # tag of a map: first of these times, UTC, ISO 8601


def acquisition_times(text: str) -> list[datetime]:
    """Times of a scene's products, joined by ' + ' in its tag; without a zone they are in UTC."""
    times = []
    for part in filter(None, text.split(" + ")):
        with suppress(ValueError):
            time = datetime.fromisoformat(part)
            times.append(time if time.tzinfo else time.replace(tzinfo=UTC))
    return times


def first_time(tags: Mapping[str, str]) -> datetime | None:
    """First acquisition that the tags of a scene or of its map state, in UTC; None if unknown."""
    times = acquisition_times(tags.get(TIME) or tags.get(SENSED, ""))
    return min(times).astimezone(UTC) if times else None


def time_tag(tags: Mapping[str, str]) -> dict[str, str]:
    """The tag of a map that states when its scene was sensed; empty if the scene does not."""
    time = first_time(tags)
    return {TIME: time.isoformat().replace("+00:00", "Z")} if time else {}
