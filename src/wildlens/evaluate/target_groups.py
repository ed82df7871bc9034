"""What is asked of every method: does high attribution find a group of classes in a reference?"""

import logging
from dataclasses import dataclass

import numpy as np

from wildlens.errors import WildLensError
from wildlens.evaluate.samples import REFERENCES, SPLITS, Sample
from wildlens.evaluate.thresholds import iou
from wildlens.legend import CORINE
from wildlens.settings import Evaluation

log = logging.getLogger(__name__)

TARGETS = "targets"  # the group that methods are judged by; the others are looked at beside it


@dataclass(frozen=True)
class Question:
    """A group of classes in a reference, on the pixels that it knows.

    Attributes:
        group: name of the group; codes: its CORINE codes.
        known, target: split ("val", "test") -> (tile, y, x) bool; target within known.
        ceiling: IoU of the exact land cover's group with this reference's on the test tiles, which
            a map without any error would reach. No bound: where the reference is coarse, marking
            everything may reach more. NaN where exact land cover is not known, or is the reference.
    """

    reference: str
    group: str
    codes: list[int]
    known: dict[str, np.ndarray]
    target: dict[str, np.ndarray]
    ceiling: float


def build_questions(samples: dict[str, Sample], settings: Evaluation) -> list[Question]:
    """The target group and the further groups, for each reference that both splits have.

    Raises:
        WildLensError: a split holds no pixel of the target group, or nothing else. Of the further
            groups, such ones are left out and named in the log.
    """
    questions = []
    for reference in samples["test"].references:
        if reference != "corine" and not all(s.known(reference).any() for s in samples.values()):
            log.info("evaluate: %s: not known for the attributed tiles, left out", reference)
            continue
        questions.append(_ask(samples, reference, TARGETS, settings.targets))
        if problem := _flaw(questions[-1]):
            raise WildLensError(
                f"{problem}; change evaluation.targets, or attribute more tiles "
                "(attribution.max_tiles, tiles.validation, tiles.test)"
            )
        for group, codes in settings.groups.items():
            question = _ask(samples, reference, group, codes)
            if problem := _flaw(question):
                log.info("evaluate: group '%s': left out: %s", group, problem)
            else:
                questions.append(question)
    return questions


def _ask(samples: dict[str, Sample], reference: str, group: str, codes: list[int]) -> Question:
    known = {split: sample.known(reference) for split, sample in samples.items()}
    target = {
        split: is_target(sample.references[reference], codes) & known[split]
        for split, sample in samples.items()
    }
    return Question(
        reference, group, codes, known, target, _ceiling(samples["test"], reference, codes)
    )


def is_target(classes: np.ndarray, codes: list[int]) -> np.ndarray:
    """Where CORINE indices (uint8, any shape) belong to a group, bool of that shape."""
    return np.isin(classes, CORINE.indices_of(codes))


def _ceiling(test: Sample, reference: str, codes: list[int]) -> float:
    if reference == "truth" or "truth" not in test.references:
        return float("nan")
    both = test.known(reference) & test.known("truth")
    exact, coarse = (is_target(test.references[r], codes) & both for r in ("truth", reference))
    return iou(exact, coarse)


def _flaw(question: Question) -> str | None:
    """What keeps a question from having an answer."""
    for split, target in question.target.items():
        if not target.any() or target.sum() == question.known[split].sum():
            group = ", ".join(map(str, question.codes))
            return (
                f"the {len(target)} attributed {SPLITS[split]} tiles hold "
                f"{'no' if not target.any() else 'nothing but'} pixels of the target group "
                f"({group}) in {REFERENCES[question.reference]}"
            )
    return None
