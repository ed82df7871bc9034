"""All attribution methods by name: those of this package, and those of other installed packages.

Another package adds a method by an entry point of the group `wildlens.methods`.
"""

import functools
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import get_args

from wildlens.errors import WildLensError
from wildlens.registry.entry_points import load_records
from wildlens.registry.record import Form, MethodRecord, Role

GROUP = "wildlens.methods"
ROLES, FORMS = get_args(Role), get_args(Form)
CONTRIBUTIONS = {  # of methods whose contributions sum to a difference of logits
    "unit": "logit",
    "sign": None,
    "signed": None,
    "context": "tile",
    "randomisable": True,
}

# in the order in which tables, figures and QGIS show them
BUILT_IN = (
    MethodRecord(
        name="gan",
        title="GAN |X+ − X−|",
        factory="wildlens.methods.gan:create",
        role="paper",
        unit="reflectance",
        sign="0 or more; high where the two generated images differ",
        context="window",
        needs=frozenset({"generators"}),
    ),
    MethodRecord(
        name="minimizer",
        title="GAN |X − X−|",
        factory="wildlens.methods.minimizer:create",
        role="paper",
        unit="reflectance",
        sign="0 or more; high where the pattern-minimizer changes the image",
        context="window",
        needs=frozenset({"generators"}),
    ),
    MethodRecord(
        name="minimizer_contributions",
        title="GAN contributions X− to X",
        factory="wildlens.methods.minimizer_contributions:create",
        role="paper",
        baseline="pattern-minimized image",
        needs=frozenset({"classifier", "generators"}),
        settings=("sign", "gradient_steps"),
        **CONTRIBUTIONS | {"randomisable": False},
    ),
    MethodRecord(
        name="minimizer_activation",
        title="GAN activation X − X−",
        factory="wildlens.methods.minimizer_activation:create",
        role="paper",
        unit="activation",
        sign="0 or more; high where the pattern-minimizer lowers the classifier's activation",
        context="tile",
        precision="float32",  # nearly equal activations are subtracted
        needs=frozenset({"classifier", "generators"}),
        classifier="activation_map",
    ),
    MethodRecord(
        name="deeplift",
        title="DeepLIFT",
        factory="wildlens.methods.deeplift:create",
        role="rival",
        baseline="settings",
        settings=("baseline", "sign"),
        **CONTRIBUTIONS,
    ),
    MethodRecord(
        name="occlusion",
        title="Occlusion",
        factory="wildlens.methods.occlusion:create",
        role="rival",
        unit="logit",
        sign="high where covering the pixel lowers the score; negative where it raises it",
        signed=True,
        context="tile",
        baseline="settings",
        precision="float32",  # nearly equal logits are subtracted
        settings=("baseline", "occlusion_window", "occlusion_stride"),
        randomisable=True,
    ),
    MethodRecord(
        name="gradcam",
        title="GradCAM",
        factory="wildlens.methods.gradcam:create",
        role="rival",
        unit="logit",
        sign="0 or more; high where a convolution block (by default the last) raises the score",
        context="tile",
        settings=("gradcam_block",),
        randomisable=True,
    ),
    MethodRecord(
        name="activation",
        title="Activation",
        factory="wildlens.methods.activation:create",
        role="rival",
        unit="activation",
        sign="0 to 1; high where the classifier itself finds patterns of protected land",
        context="tile",
        classifier="activation_map",
        randomisable=True,
    ),
    MethodRecord(
        name="guided_gradcam",
        title="Guided GradCAM",
        factory="wildlens.methods.guided_gradcam:create",
        role="rival",
        settings=("sign", "gradcam_block"),
        **CONTRIBUTIONS | {"unit": "logit² per standard deviation of a band"},
    ),
    MethodRecord(
        name="integrated_gradients",
        title="Integrated gradients",
        factory="wildlens.methods.integrated_gradients:create",
        role="rival",
        baseline="settings",
        settings=("baseline", "sign", "gradient_steps"),
        **CONTRIBUTIONS,
    ),
    MethodRecord(
        name="expected_gradients",
        title="Expected gradients",
        factory="wildlens.methods.expected_gradients:create",
        role="rival",
        baseline="training tiles",
        needs=frozenset({"classifier", "training_tiles"}),
        settings=("sign", "expected_tiles", "expected_steps", "seed"),
        **CONTRIBUTIONS,
    ),
    MethodRecord(
        name="saliency",
        title="Plain gradient",
        factory="wildlens.methods.saliency:create",
        role="rival",
        unit="logit per standard deviation of a band",
        sign="0 or more; high where a small change of the pixel changes the score most",
        context="tile",
        randomisable=True,
    ),
    MethodRecord(
        name="activation_occlusion",
        title="Activation occlusion",
        factory="wildlens.methods.activation_occlusion:create",
        role="rival",
        unit="logit per share of the tile",
        sign="high where such activations raise the score; negative where they lower it",
        signed=True,
        context="tile",
        precision="float32",  # rounding would move pixels to other cells
        needs=frozenset({"classifier", "training_tiles"}),
        classifier="full_size_maps",
        settings=("activation_bins", "activation_tiles", "seed"),
    ),
    MethodRecord(
        name="class_shares",
        title="Class shares (control)",
        factory="wildlens.methods.class_shares:create",
        role="control",
        unit="logit per share of the tile",
        sign="high where a larger share of this class makes a tile protected; negative: the rest",
        signed=True,
        context="pixel",
        needs=frozenset({"training_tiles", "landcover"}),
    ),
    MethodRecord(
        name="brightness",
        title="Brightness (control)",
        factory="wildlens.methods.brightness:create",
        role="control",
        unit="reflectance",
        sign="0 or more; high where the land is bright",
        context="pixel",
        needs=frozenset(),
    ),
    MethodRecord(
        name="random",
        title="Random (control)",
        factory="wildlens.methods.random:create",
        role="control",
        unit="none",
        sign="none: random in 0 to 1",
        context="pixel",
        needs=frozenset(),
        settings=("seed",),
    ),
    MethodRecord(
        name="score",
        title="Score",
        factory="wildlens.methods.score:create",
        role="layer",
        form="score",
        unit="score",
        sign="0 anthropogenic to 1 natural",
        context="tile",
    ),
    MethodRecord(
        name="maximized",
        title="X+ (pattern-maximizer)",
        factory="wildlens.methods.maximized:create",
        role="layer",
        form="image",
        unit="reflectance x 10000",
        sign="0 or more; the reflectance of the generated image",
        context="window",
        needs=frozenset({"generators"}),
    ),
    MethodRecord(
        name="minimized",
        title="X− (pattern-minimizer)",
        factory="wildlens.methods.minimized:create",
        role="layer",
        form="image",
        unit="reflectance x 10000",
        sign="0 or more; the reflectance of the generated image",
        context="window",
        needs=frozenset({"generators"}),
    ),
)


@functools.cache
def records() -> Mapping[str, MethodRecord]:
    """All methods by name: methods of the paper, rivals, controls, layers; see BUILT_IN."""
    taken = {record.name for record in _ordered(BUILT_IN)}
    found = [*BUILT_IN, *load_records(GROUP, MethodRecord, taken)]
    return MappingProxyType({record.name: record for record in _ordered(found)})


def find(name: str) -> MethodRecord:
    """The record of a method.

    Raises:
        WildLensError: there is no method of this name.
    """
    if name not in records():
        raise WildLensError(f"unknown method '{name}'; known are {', '.join(records())}")
    return records()[name]


def names(*roles: Role, built_in: bool = False) -> tuple[str, ...]:
    """Names of all methods of these roles, in order; `built_in`: of this package only."""
    found = _ordered(BUILT_IN) if built_in else records().values()
    return tuple(record.name for record in found if record.role in roles)


def attributions() -> tuple[str, ...]:
    """Names of all methods that attribute, controls included, in order."""
    return names("paper", "rival", "control")


def position(name: str) -> tuple[int, str]:
    """Sort key: the order of the records, then unknown names by alphabet."""
    order = list(records())
    return (order.index(name) if name in order else len(order), name)


def title(name: str) -> str:
    """Title of a method in figures and tables; its name if it is not installed."""
    record = records().get(name)
    return record.title if record else name


def _ordered(found: Iterable[MethodRecord]) -> list[MethodRecord]:
    """Records by role, with their randomised controls; within a role, their order stays."""
    found = list(found)
    controls = [record.randomised() for record in found if record.randomisable]
    return sorted([*controls, *found], key=lambda record: ROLES.index(record.role))


def is_signed(tags: Mapping[str, str], name: str) -> bool:
    """Whether values below zero of a map on disk have a meaning; False if its origin is unknown."""
    record = records().get(tags.get("wildlens_method", name))
    if record is not None and record.signed is not None:
        return record.signed
    return tags.get("sign_rule") == "signed"


def form_of(tags: Mapping[str, str], name: str, dtype: str) -> Form:
    """Form of a map on disk: by its tag, by its method, or, of unknown origin, by its dtype."""
    record = records().get(tags.get("wildlens_method", name))
    if tags.get("wildlens_form") in FORMS:
        return tags["wildlens_form"]
    return record.form if record else "image" if dtype == "uint16" else "attribution"
