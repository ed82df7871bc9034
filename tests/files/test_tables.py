"""Tables as CSV: what is undefined is an empty cell, in every table alike."""

import numpy as np

from wildlens.files.tables import write_table


def test_undefined_numbers_are_empty_cells(tmp_path):
    rows = [
        {"name": "nan", "loss": float("nan"), "rate": np.float64("inf"), "steps": 3},
        {"name": "b", "loss": 0.25, "rate": -0.0, "steps": 0},
    ]
    write_table(tmp_path / "t.csv", rows)
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "name,loss,rate,steps",
        "nan,,,3",
        "b,0.25,-0.0,0",
    ]
