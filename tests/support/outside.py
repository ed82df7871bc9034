"""Installs the package outside_package beside this one, as a user's own would be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "outside_package"


def install_outside_package(folder: Path) -> dict[str, str]:
    """Environment variables with which Python and Snakemake find the package in a folder."""
    source = shutil.copytree(SOURCE, folder / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--target", folder / "installed", source]
    subprocess.run(command, check=True, capture_output=True, text=True)
    paths = [str(folder / "installed"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
