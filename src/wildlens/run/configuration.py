"""The configuration of a run, from the files of its sections beside the results."""

from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.settings import Settings, read_yaml, validate


def read_configuration(folder: Path) -> Settings:
    """The validated configuration of a run; sections that it did not use have their defaults.

    Args:
        folder: `settings` in the results.

    Raises:
        WildLensError: there are no settings, they are invalid, or those of the inputs are missing,
            as in runs of earlier versions.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if "inputs" not in paths:
        raise WildLensError(f"{folder / 'inputs.yaml'}: is missing: run snakemake, which writes it")
    data = {name: read_yaml(path) for name, path in paths.items() if name in Settings.model_fields}
    data |= data.pop("anthroprotect", {})  # its file has the one key of that name
    if "members" in paths:  # which the files of their sections leave out
        for name, members in read_yaml(paths["members"]).items():
            data[name] = data.get(name, {}) | {"members": members}
    return validate(data, Settings, str(folder))
