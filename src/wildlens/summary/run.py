"""What belongs to a run: its maps, jobs, files and settings, as the workflow declares them.

A results folder keeps files of earlier configurations: maps of scenes that were taken out, logs,
times, tables and figures of jobs that no longer exist. Only what the workflow names is shown.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from pydantic import BaseModel, ConfigDict, ValidationError

from wildlens.errors import WildLensError, one_line

Wildcards = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Run:
    """Maps, jobs, files and settings of a run.

    Attributes:
        maps: (scene, method) pairs; jobs: names of logs and benchmarks without suffix, such as
            "map/T35WNT/gan"; settings: sections, each with a file of its own.
        files: all other results, as paths in the folder of results; a folder stands for all in it.
    """

    maps: Sequence[tuple[str, str]]
    jobs: Sequence[str]
    settings: Sequence[str]
    files: Sequence[str]

    def has(self, name: str) -> bool:
        """Whether a file is a result of the run, or a folder holds one."""
        path = PurePath(name)
        return any(
            path.is_relative_to(file) or path in PurePath(file).parents for file in self.files
        )


class _Declared(BaseModel):
    """JSON form of a run: `jobs` maps a pattern with wildcards to their values, as in Snakemake."""

    model_config = ConfigDict(extra="forbid")

    maps: dict[str, list[str]]
    jobs: dict[str, dict[str, list[str]]]
    settings: list[str]
    files: list[str]


def parse_run(text: str) -> Run:
    """Read the JSON that the workflow passes, e.g.

    {"maps": {"scene": ["lake"], "method": ["gan"]}, "settings": ["gan"],
     "files": ["evaluation/methods.csv", "figures/map.png"],
     "jobs": {"map/{scene}/{method}": {"scene": ["lake"], "method": ["gan"]}, "evaluate": {}}}

    Raises:
        WildLensError: it is no such JSON, or names a file outside the folder.
    """
    try:
        declared = _Declared.model_validate(json.loads(text))
        maps = list(itertools.product(declared.maps["scene"], declared.maps["method"]))
        jobs = [
            name for pattern, values in declared.jobs.items() for name in expand(pattern, values)
        ]
    except (ValueError, ValidationError, LookupError, AttributeError) as error:
        raise WildLensError(
            f"--run: expected maps, jobs, files and settings: {one_line(error)}"
        ) from None
    names = [*jobs, *declared.settings, *declared.files, *(part for pair in maps for part in pair)]
    if outside := [n for n in names if n.startswith("/") or ".." in Path(n).parts]:
        raise WildLensError(f"--run: '{outside[0]}' is outside the folder of results")
    return Run(maps, jobs, declared.settings, declared.files)


def expand(pattern: str, wildcards: Wildcards) -> list[str]:
    """All names of a pattern: its wildcards take all combinations of their values."""
    combinations = itertools.product(*wildcards.values())
    return [
        pattern.format_map(dict(zip(wildcards, values, strict=True))) for values in combinations
    ]


def everything_in(folder: Path) -> Run:
    """All that a results folder holds, for steps that were run by hand."""

    def stems(below: str, pattern: str) -> list[str]:
        paths = sorted((folder / below).rglob(pattern))
        return [path.relative_to(folder / below).with_suffix("").as_posix() for path in paths]

    maps = [(path.parent.name, path.stem) for path in sorted(folder.glob("maps/*/*.tif"))]
    jobs = dict.fromkeys([*stems("logs", "*.log"), *stems("benchmarks", "*.tsv")])
    files = [path.name for path in sorted(folder.iterdir())]
    return Run(maps, list(jobs), stems("settings", "*.yaml"), files)
