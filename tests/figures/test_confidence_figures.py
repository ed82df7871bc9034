"""Figures of the confidence: what is drawn of the tables, and tables that are refused."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from wildlens.errors import WildLensError
from wildlens.figures import result_tables
from wildlens.figures.confidence import MEASURES, draw_filtered, draw_reliability


def tables():
    """Tables of two splits, of one method and a control."""
    forms = [(split, form) for split in ("val", "test") for form in ("before", "after")]
    rows = [
        {"split": split, "scores": form, "bin_low": k / 4, "bin_high": (k + 1) / 4,
         "tiles": [5, 0, 7, 9][k], "mean_score": [0.1, np.nan, 0.6, 0.9][k],
         "observed_share": [0, np.nan, 0.5, 0.8][k],
         "observed_share_low": [np.nan, np.nan, 0.2, 0.6][k],
         "observed_share_high": [np.nan, np.nan, 0.8, 0.9][k]}
        for split, form in forms for k in range(4)
    ]  # fmt: skip
    calibration = [
        {"split": split, "scores": form, "temperature": 1.0 if form == "before" else 1.7,
         "ece": 0.125 if form == "before" else 0.031}
        for split, form in forms
    ]  # fmt: skip
    filtered = [
        {"method": method, "reference": "corine", "measure": measure, "share": share,
         "target_share": 0.4, "auroc": 0.8, "auroc_low": 0.7, "auroc_high": 0.9}
        for method in ("gan", "random") for measure in ("entropy", "feature_distance")
        for share in (0.5, 1.0)
    ]  # fmt: skip
    return map(pd.DataFrame, (rows, calibration, filtered))


def texts(sheet):
    FigureCanvasAgg(sheet.figure).draw()
    return [
        text.get_text() for text in sheet.figure.findobj(match=lambda a: hasattr(a, "get_text"))
    ]


def test_reliability_states_errors_and_temperature_and_leaves_out_empty_bins():
    reliability, calibration, _ = tables()
    sheet = draw_reliability(reliability, calibration)
    found = texts(sheet)
    assert any("temperature is 1.70" in text for text in found)
    assert "score: calibration error 0.125" in found and "Test tiles" in found
    curve = next(line for line in sheet.figure.axes[0].lines if line.get_marker() == "o")
    assert curve.get_xdata().tolist() == [0.1, 0.6, 0.9]


def test_filtered_has_a_panel_per_measure_and_no_controls():
    *_, filtered = tables()
    found = texts(draw_filtered(filtered))
    assert f"{MEASURES['entropy']}\nCORINE land cover" in found
    assert not any("andom" in text for text in found)
    assert not any(MEASURES["mutual_information"] in text for text in found)


def test_table_without_a_needed_column_is_refused(tmp_path):
    *_, filtered = tables()
    filtered.drop(columns="auroc").to_csv(tmp_path / "filtered.csv", index=False)
    with pytest.raises(WildLensError, match="lacks auroc"):
        result_tables.read_table(tmp_path, result_tables.FILTERED)
