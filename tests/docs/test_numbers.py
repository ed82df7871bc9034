"""Numbers in README and docs are those of the result files."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs/numbers.py"


@pytest.fixture
def numbers(tmp_path, monkeypatch):
    """The script, on a page and a result file of the test's own."""
    spec = importlib.util.spec_from_file_location("numbers_of_docs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/t.csv").write_text("method,iou,note\ngan,0.6251,\nrandom,0.2,|X|\n")
    monkeypatch.setattr(module, "DOCS", tmp_path)
    return module


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_pages_agree_with_result_files():
    run = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_number_is_filled_and_rounded(numbers, tmp_path):
    start = '<!-- number {"file": "t.csv", "where": {"method": "gan"}, "column": "iou"} -->'
    text = numbers.filled(page(tmp_path, f"IoU {start}9.99<!-- end -->."))
    assert text == f"IoU {start}0.63<!-- end -->."


def test_table_takes_rows_in_the_order_asked_for(numbers, tmp_path):
    request = (
        '{"file": "t.csv", "where": {"method": ["random", "gan"]},'
        ' "columns": {"method": "method", "{iou} of 1": "IoU", "note": "note"}, "format": ".1f"}'
    )
    text = numbers.filled(page(tmp_path, f"<!-- table {request} -->\nold\n<!-- end -->"))
    assert text.splitlines()[2:6] == [
        "| method | IoU | note |",
        "| --- | --- | --- |",
        "| random | 0.2 of 1 | \\|X\\| |",  # a bar is no end of a cell
        "| gan | 0.6 of 1 | - |",
    ]


@pytest.mark.parametrize(
    "request_text",
    [
        '{"file": "t.csv", "where": {"method": "lime"}, "column": "iou"}',
        '{"file": "t.csv", "column": "iou"}',
        '{"file": "none.csv", "column": "iou"}',
        '{"file": "t.csv", "where": {"method": "gan"}, "column": "{auroc}"}',
    ],
)
def test_place_that_cannot_be_filled_names_its_page(numbers, tmp_path, request_text):
    path = page(tmp_path, f"<!-- number {request_text} -->1<!-- end -->")
    with pytest.raises(numbers.Mismatch, match=r"^page\.md: "):
        numbers.filled(path)
