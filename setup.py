"""Puts the workflow into the wheel, so that `wildlens run` works without the repository.

All other metadata are in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PARTS = ("Snakefile", "config.yaml", "profiles", "workflow")


class WithWorkflow(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:  # then the repository's own files are used
            return
        target = Path(self.build_lib, "wildlens", "pipeline")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, target / part)
            else:
                shutil.copy2(ROOT / part, target / part)


setup(cmdclass={"build_py": WithWorkflow})
