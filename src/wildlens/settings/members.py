"""Members: trainings of one section's settings with other seeds, numbered from 1."""

import hashlib
from typing import TypeVar

from wildlens.registry import methods
from wildlens.registry.record import RANDOMISED
from wildlens.settings.classifier import Classifier
from wildlens.settings.configuration import Settings
from wildlens.settings.gan import Gan

Training = TypeVar("Training", Classifier, Gan)


def of_member(section: Training, member: int) -> Training:
    """The settings of one member's training: the first has the section's own seed.

    The seeds of the others are derived from it by a hash, so that they are not those of the members
    of a run whose seed is the next number.
    """
    if member == 1:
        return section
    digest = hashlib.blake2b(f"{section.seed}, member {member}".encode(), digest_size=4).digest()
    return section.model_copy(update={"seed": int.from_bytes(digest) % 2**31})


def members_of(method: str, settings: Settings) -> int:
    """Number of members whose maps by a method differ, and are averaged.

    1 for controls that no training changes: those that use no network, and those whose classifier
    has random weights.
    """
    needs = methods.find(method).needs
    if "generators" in needs:
        return settings.gan.members  # at least as many as classifiers
    if "classifier" in needs and not method.endswith(RANDOMISED):
        return settings.classifier.members
    return 1


def classifier_of(member: int, settings: Settings) -> int:
    """Number of the classifier that a member's maps, and its generators, are made with."""
    return member if settings.classifier.members > 1 else 1


def dump_members(settings: Settings) -> str:
    """YAML text of the numbers of members, which the sections that are written leave out."""
    return f"classifier: {settings.classifier.members}\ngan: {settings.gan.members}\n"
