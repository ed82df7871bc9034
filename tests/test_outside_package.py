"""A classifier and a method of another installed package; test_chain.py runs them, too."""

import os
import subprocess
import sys

import pytest
from outside import install_outside_package


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
    return install_outside_package(tmp_path_factory.mktemp("outside"))


def test_record_that_cannot_be_loaded_is_one_line(tmp_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wildlens.methods]\nmine = nosuch_module:RECORD\n")
    code = "from wildlens.registry.methods import records; records()"
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert "entry point 'mine' of broken (wildlens.methods): nosuch_module:RECORD cannot be" in (
        run.stderr
    )


def test_planning_with_an_outside_package_imports_no_torch(installed):
    code = (
        "import sys; from wildlens.registry import classifiers, methods;"
        "methods.records(), classifiers.records(); print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=installed, check=True
    )
    assert run.stdout.strip() == "False"
