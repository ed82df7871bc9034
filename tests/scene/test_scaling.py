import logging
from pathlib import Path

import numpy as np
import pytest
from products import SHAPE, numbers, write_safe, write_tif

from wildlens.errors import WildLensError
from wildlens.scene.products import open_product
from wildlens.scene.scaling import decide_scaling


def stack(tmp_path, low, high, name="B02") -> Path:
    write_tif(tmp_path / f"{name}.tif", numbers(np.random.default_rng(0), low=low, high=high))
    return tmp_path


def safe(tmp_path, low, high, offsets) -> Path:
    values = numbers(np.random.default_rng(0), low=low, high=high)
    return write_safe(tmp_path, {"B02": values, "B03": values}, shape=SHAPE, offsets=offsets)


def test_metadata_decide(tmp_path):
    product = open_product(safe(tmp_path, 1100, 3000, {"B02": -1000, "B03": -900}))
    offset = decide_scaling(product, ["B03", "B02"], None)
    assert offset.offset == {"B03": -900, "B02": -1000}
    assert offset.origin == "metadata"


def test_metadata_without_offsets_mean_none(tmp_path):
    product = open_product(safe(tmp_path, 100, 3000, None))
    assert decide_scaling(product, ["B02"], None).offset == {"B02": 0}
    assert decide_scaling(product, ["B02"], 0).origin == "metadata"


@pytest.mark.parametrize(("stated", "given"), [(-1000, 0), (None, -1000)])
def test_a_given_offset_must_not_contradict_metadata(tmp_path, stated, given):
    offsets = None if stated is None else {"B02": stated}
    product = open_product(safe(tmp_path, 1100, 3000, offsets))
    with pytest.raises(WildLensError, match=rf"offset {given} .* say {stated or 0}"):
        decide_scaling(product, ["B02"], given)


def test_metadata_that_leave_out_a_band_are_refused(tmp_path):
    product = open_product(safe(tmp_path, 1100, 3000, {"B02": -1000}))
    with pytest.raises(WildLensError, match="B03"):
        decide_scaling(product, ["B02", "B03"], None)


def test_without_metadata_the_user_decides(tmp_path, caplog):
    product = open_product(stack(tmp_path, 1100, 3000))
    assert decide_scaling(product, ["B02"], -1000).offset == {"B02": -1000}
    assert decide_scaling(product, ["B02"], 0).offset == {"B02": 0}
    assert not caplog.records


def test_without_any_word_bright_pixels_are_refused_and_dark_ones_taken(tmp_path):
    dark = open_product(stack(tmp_path / "dark", 100, 3000))
    assert decide_scaling(dark, ["B02"], None).offset == {"B02": 0}
    bright = open_product(stack(tmp_path / "bright", 1010, 3000))
    with pytest.raises(WildLensError, match="-1000"):
        decide_scaling(bright, ["B02"], None)


def test_missing_pixels_do_not_make_a_product_dark(tmp_path):
    values = numbers(np.random.default_rng(0), low=1010, missing=0.6)
    write_tif(tmp_path / "B02.tif", values)
    with pytest.raises(WildLensError, match="-1000"):
        decide_scaling(open_product(tmp_path), ["B02"], None)


def test_bright_infrared_is_no_sign_but_cannot_be_checked(tmp_path, caplog):
    product = open_product(stack(tmp_path, 2000, 4000, name="B08"))
    assert decide_scaling(product, ["B08"], None).offset == {"B08": 0}
    assert "offset 0 is assumed" in caplog.text


def test_pixels_that_contradict_the_metadata_are_reported(tmp_path, caplog):
    product = open_product(safe(tmp_path / "a", 100, 3000, {"B02": -1000}))
    decide_scaling(product, ["B02"], None)
    assert "applied before" in caplog.text
    caplog.clear()
    product = open_product(safe(tmp_path / "b", 1100, 3000, None))
    decide_scaling(product, ["B02"], None)
    assert "still in the numbers" in caplog.text


def test_pixels_that_agree_are_not_reported(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        product = open_product(safe(tmp_path / "a", 1050, 3000, {"B02": -1000}))
        decide_scaling(product, ["B02"], None)
        product = open_product(safe(tmp_path / "b", 50, 3000, None))
        decide_scaling(product, ["B02"], None)
    assert not caplog.records


@pytest.mark.parametrize(("low", "offsets"), [(1100, None), (100, {"B02": -1000, "B03": -1000})])
def test_a_contradiction_is_refused_on_request(tmp_path, low, offsets):
    product = open_product(safe(tmp_path, low, 3000, offsets))
    decide_scaling(product, ["B02"], None)
    with pytest.raises(WildLensError, match=r"scene.offset_conflict is 'refuse'"):
        decide_scaling(product, ["B02"], None, conflict="refuse")
