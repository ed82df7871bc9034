"""Target groups that high attribution is compared with: classes of a land-cover reference."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.errors import WildLensError
from wildlens.evaluate.samples import LEVELS, REFERENCES, SPLITS, Sample
from wildlens.legend import CORINE
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)

TARGETS = "targets"  # the group that methods are judged by; the others are reported beside it


@dataclass(frozen=True)
class TargetGroup:
    """A group of classes of one reference.

    Attributes:
        name: of the group; codes: its CORINE codes; reference: name of the land cover.
        ceiling: IoU of the reference land cover of the simulation with this reference on the test
            tiles, which a map without any error would reach. No upper bound: where the reference is
            coarse, marking everything may reach more. NaN where it is not known, or is the
            reference itself.
    """

    reference: str
    name: str
    codes: list[int]
    ceiling: float

    def masks(self, sample: Sample, tiles: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Pixels that the reference knows, and those of the group, (tile, y, x) bool each."""
        classes = sample.classes(self.reference, tiles)
        return classes > 0, in_group(classes, self.codes)

    def pixels(self, sample: Sample) -> tuple[int, int]:
        """Number of pixels that the reference knows, and of those of the group."""
        counts = sample.pixels(self.reference)
        return int(counts[1:].sum()), int(counts[in_group(np.arange(LEVELS), self.codes)].sum())


def build_groups(samples: dict[str, Sample], settings: Evaluation) -> list[TargetGroup]:
    """The target group and the further groups, for each reference that both splits have.

    Raises:
        WildLensError: a split holds no pixel of the target group, or nothing else. Of the further
            groups, such ones are left out and named in the log.
    """
    groups = []
    for reference in samples["test"].references:
        known = (sample.pixels(reference)[1:].any() for sample in samples.values())
        if reference != "corine" and not all(known):
            log.info("evaluate: %s: not known for the attributed tiles, left out", reference)
            continue
        targets = _build(samples, reference, TARGETS, settings.targets)
        if problem := _flaw(targets, samples):
            raise WildLensError(
                f"{problem}; change evaluation.targets, or attribute more tiles "
                "(attribution.max_tiles, tiles.validation, tiles.test)"
            )
        groups.append(targets)
        for name, codes in settings.groups.items():
            group = _build(samples, reference, name, codes)
            if problem := _flaw(group, samples):
                log.info("evaluate: group '%s': left out: %s", name, problem)
            else:
                groups.append(group)
    return groups


def _build(samples: dict[str, Sample], reference: str, name: str, codes: list[int]) -> TargetGroup:
    return TargetGroup(reference, name, codes, _ceiling(samples["test"], reference, codes))


def in_group(classes: np.ndarray, codes: Sequence[int]) -> np.ndarray:
    """Where CORINE indices (int, any shape) belong to a group, bool of that shape."""
    return np.isin(classes, CORINE.indices_of(list(codes)))


def group_title(codes: Sequence[int]) -> str:
    """Title of a target group: a name for the default group, else its classes' names."""
    if sorted(codes) == sorted(Evaluation().targets):
        return "wetlands and bare land"
    return " + ".join(CORINE.of_code(code).name for code in codes)


def _ceiling(test: Sample, reference: str, codes: list[int]) -> float:
    if reference == "truth" or "truth" not in test.references:
        return float("nan")
    counts, targets = test.pixels(reference, "truth"), CORINE.indices_of(codes)
    both = counts[np.ix_(targets, targets)].sum()
    union = counts[targets, 1:].sum() + counts[1:, targets].sum() - both
    return float(both / union) if union else float("nan")


def _flaw(group: TargetGroup, samples: dict[str, Sample]) -> str | None:
    """Why a group cannot be compared with; None if it can."""
    for split, sample in samples.items():
        known, target = group.pixels(sample)
        if target in (0, known):
            codes = ", ".join(map(str, group.codes))
            return (
                f"the {len(sample.names)} attributed {SPLITS[split]} tiles hold "
                f"{'no' if target == 0 else 'nothing but'} pixels of the target group "
                f"({codes}) in {REFERENCES[group.reference]}"
            )
    return None
