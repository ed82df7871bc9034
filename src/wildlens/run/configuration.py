"""The configuration of a run, whole, in one file beside the results.

It is not put together from the files of single sections, which the steps read: those that a later
configuration does not have stay in the folder.
"""

from pathlib import Path

import yaml

from wildlens.errors import WildLensError
from wildlens.settings import Settings, read_yaml, validate

CONFIGURATION = "configuration.yaml"


def dump_configuration(settings: Settings) -> str:
    """YAML text of the whole configuration, defaults included, as `read_configuration` reads it."""
    data = settings.model_dump(mode="json")
    for section in ("classifier", "gan"):  # numbers of members are left out of all other files
        data[section]["members"] = getattr(settings, section).members
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def read_configuration(folder: Path) -> Settings:
    """The validated configuration of a run.

    Args:
        folder: `settings` in the results.

    Raises:
        WildLensError: the file is missing, as in runs of earlier versions, or invalid.
    """
    path = folder / CONFIGURATION
    if not path.is_file():
        raise WildLensError(f"{path}: is missing: run snakemake, which writes it")
    return validate(read_yaml(path), Settings, str(path))
