"""Tests that the documentation names files and tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("src", "tests", "benchmarks", "workflow", "docs")
# of other projects, and of the reader's own
ELSEWHERE = {"tasks/tiled_inference.py", "my_records.py", "my_method.py"}


def files() -> list[Path]:
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.[ps][ym]*")]
    return [*ROOT.glob("*.py"), *inside]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_names_existing_files_and_tests(page):
    named = re.findall(r"`([\w./-]+\.(?:py|smk))(?:::(\w+))?`", page.read_text(encoding="utf-8"))
    every, missing = files(), []
    for name, test in named:
        found = [path for path in every if f"/{path.relative_to(ROOT)}".endswith(f"/{name}")]
        if name not in ELSEWHERE and not any(test in path.read_text() for path in found):
            missing.append(f"{name}::{test}" if test else name)
    assert not missing
