"""Records that other installed packages add through entry points.

The name of an entry point is the name of its record, its value the record's `module:attribute`. The
module should not import torch, since the workflow reads records when it is planned.
"""

import importlib.metadata
from collections.abc import Container
from typing import TypeVar

from wildlens.errors import WildLensError, one_line

Record = TypeVar("Record")


def load_records(group: str, record_type: type[Record], taken: Container[str]) -> list[Record]:
    """Records of all entry points of a group, by name.

    Args:
        group: e.g. `wildlens.methods`.
        taken: names that are not free.

    Raises:
        WildLensError: a record cannot be loaded, has another type or name, or its name is taken.
    """
    points = sorted(importlib.metadata.entry_points(group=group), key=lambda point: point.name)
    names = [point.name for point in points]
    found = []
    for point in points:
        origin = f"entry point '{point.name}' of {point.dist.name if point.dist else point.value}"
        if point.name in taken or names.count(point.name) > 1:
            raise WildLensError(f"{origin} ({group}): the name is taken")
        try:
            record = point.load()
        except Exception as error:  # another package's module may raise anything
            raise WildLensError(
                f"{origin} ({group}): {point.value} cannot be loaded: {one_line(error)}"
            ) from None
        if not isinstance(record, record_type) or record.name != point.name:
            raise WildLensError(
                f"{origin} ({group}): {point.value} is not a {record_type.__name__} of this name"
            )
        found.append(record)
    return found
