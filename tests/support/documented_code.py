"""Code of the documentation, executed in a folder that holds a finished run."""

import re
from pathlib import Path

import nbclient
import nbformat


def run_notebook(path: Path, folder: Path) -> list[str]:
    """Execute a notebook in a folder; what each cell printed.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    client = nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    return [
        "".join(output["text"] for output in cell.outputs if output.output_type == "stream")
        for cell in cells
    ]


def run_examples(page: Path) -> dict:
    """Execute the Python blocks of a page, one after the other; the names that they leave."""
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        exec(compile(block, str(page), "exec"), names)
    return names
