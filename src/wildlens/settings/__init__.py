"""The configuration: one strict, frozen model per section of `config.yaml`.

Defaults, the JSON schema and the reference page (`docs/settings.md`) come from these models. An
unknown key is an error that names the nearest known one; a value out of range names its key.
"""

from wildlens.settings.areas import Areas
from wildlens.settings.attribution import Attribution, fields_read
from wildlens.settings.classifier import Classifier
from wildlens.settings.compare import Compare
from wildlens.settings.confidence import Confidence
from wildlens.settings.configuration import Settings
from wildlens.settings.demo import Demo
from wildlens.settings.evaluation import Evaluation
from wildlens.settings.fetch import Fetch
from wildlens.settings.gan import Gan
from wildlens.settings.inputs import DEMO, FETCHED, FetchRequest, Inputs, Product
from wildlens.settings.landcover import Landcover
from wildlens.settings.load import dump_section, load_section, validate
from wildlens.settings.members import classifier_of, dump_members, members_of, of_member
from wildlens.settings.models import Models
from wildlens.settings.scene import Scene
from wildlens.settings.section import Section
from wildlens.settings.strict_yaml import read_yaml
from wildlens.settings.tiles import (
    SHARES,
    TWO_CLASSES,
    TileClass,
    Tiles,
    classes_in_order,
    share_of,
)
from wildlens.settings.types import Clip

__all__ = [
    "DEMO", "FETCHED", "SHARES", "TWO_CLASSES", "Areas", "Attribution", "Classifier", "Clip",
    "Compare", "Confidence", "Demo", "Evaluation", "Fetch", "FetchRequest", "Gan", "Inputs",
    "Landcover", "Models", "Product", "Scene", "Section", "Settings", "TileClass", "Tiles",
    "classes_in_order", "classifier_of", "dump_members", "dump_section", "fields_read",
    "load_section", "members_of", "of_member", "read_yaml", "share_of", "validate",
]  # fmt: skip
