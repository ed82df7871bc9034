"""Origin that the result of several members states: what they share, and all their models."""

import json
from collections.abc import Mapping, Sequence

from wildlens.errors import WildLensError
from wildlens.files.member_bands import MEMBERS
from wildlens.files.origin import TAG, WARNING_TAG
from wildlens.provenance import inputs_of

INPUTS, STEP = "wildlens_inputs", "wildlens_step"
MODEL = ".safetensors"
OF_MODELS = (TAG, WARNING_TAG)  # what members may state differently


def combined_tags(names: Sequence[str], tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags of the mean of members.

    Args:
        names: of the members' files, for errors; tags: of each file.

    Raises:
        WildLensError: there is one member only, one is given twice, two differ in more than their
            models, or a tag is invalid.
    """
    if len(tags) < 2:
        raise WildLensError(f"{names[0]}: is one member only: give all of them")
    first = tags[0]
    for name, own in zip(names[1:], tags[1:], strict=True):
        keys = (first.keys() | own.keys()) - {INPUTS, *OF_MODELS}
        if differing := sorted(key for key in keys if first.get(key) != own.get(key)):
            raise WildLensError(
                f"{name}: is no member beside {names[0]}: {differing[0]} differs; make both with"
                " the same settings"
            )
    inputs = [inputs_of(name, own) for name, own in zip(names, tags, strict=True)]
    for number, own in enumerate(inputs):
        if own and own in inputs[:number]:
            raise WildLensError(
                f"{names[number]}: is made with the models of {names[inputs.index(own)]}: give each"
                " member once"
            )
    stated = {
        key: "; ".join(dict.fromkeys(own[key] for own in tags if key in own)) for key in OF_MODELS
    }
    return {
        **{key: value for key, value in first.items() if key not in OF_MODELS},
        **{key: text for key, text in stated.items() if text},
        STEP: "combine",
        INPUTS: json.dumps(_joined(names, inputs)),
        MEMBERS: str(len(tags)),
    }


def _joined(names: Sequence[str], inputs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Inputs of all members; models of one name, from several folders, get the member's number."""
    found: dict[str, str] = {}
    for number, own in enumerate(inputs, start=1):
        for label, digest in own.items():
            if found.get(label, digest) == digest:
                found[label] = digest
            elif label.endswith(MODEL):
                found[f"{label} of member {number}"] = digest
            else:
                raise WildLensError(
                    f"{names[number - 1]}: is no member beside {names[0]}: {label} differs"
                )
    return found
