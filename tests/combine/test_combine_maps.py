"""Maps of members, combined: against numpy, with missing pixels; and what is refused."""

import numpy as np
import pytest
import rasterio
import rio_cogeo
from attributed import grid_at

from wildlens.combine.maps import combine_maps
from wildlens.combine.statistics import agreement, mean_and_sd
from wildlens.errors import WildLensError
from wildlens.files.cog import writing_cog
from wildlens.files.origin import TAG, WARNING_TAG

SHAPE = (530, 700)  # several blocks, none of them whole at the far borders
LIMITS = [0.4, 0.6, float("inf")]


def tags_of(member: int, **changed) -> dict[str, str]:
    inputs = f'{{"lake.tif": "3e8b", "classifier-{member}.safetensors": "{member}"}}'
    return {
        "wildlens_method": "gradcam", "wildlens_scene": "lake", "wildlens_form": "attribution",
        "wildlens_step": "map", "wildlens_inputs": inputs, "unit": "logit", TAG: "trained on land",
    } | changed  # fmt: skip


def write_member(folder, member, values, names=("gradcam", "disagreement"), **tags):
    """A map of a member, (B, H, W)."""
    path = folder / f"gradcam-{member}.tif"
    form = {"unit": "logit"}
    if values.dtype == np.uint16:
        form = {"unit": "reflectance", "scale": 1e-4, "dtype": "uint16", "nodata": 0}
    options = {"tags": tags_of(member, **tags), "descriptions": names, **form}
    with writing_cog(path, grid_at(500_000, values[0]), **options) as dataset:
        dataset.write(values)
    return path


def three_members(folder, **tags):
    """Values (member, band, H, W), each with missing pixels of its own, and their files."""
    values = np.random.default_rng(1).random((3, 2, *SHAPE)).astype(np.float32)
    values[:, :, :7, :9] = np.nan
    values[1, 0, 100, 200:220] = np.nan
    values[2, 1, 520] = np.nan
    return values, [write_member(folder, k + 1, own, **tags) for k, own in enumerate(values)]


def write_limits(path, limits=LIMITS):
    cells = ["" if np.isinf(limit) else repr(limit) for limit in limits]
    rows = [f"{k},{r},{cell}" for k, cell in enumerate(cells, 1) for r in ("corine", "truth")]
    path.write_text("\n".join(["member,reference,threshold", *rows, ""]))
    return path


def test_bands_are_those_of_numpy_and_pixels_that_a_member_lacks_are_missing(tmp_path):
    values, paths = three_members(tmp_path)
    limits = write_limits(tmp_path / "limits.csv")
    combine_maps(paths, tmp_path / "out.tif", limits)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        found, names, units, tags = (
            dataset.read(), dataset.descriptions, dataset.units, dataset.tags(),
        )  # fmt: skip
        assert dataset.tags(3)["STATISTICS_MAXIMUM"]
    assert names == ("gradcam", "member_sd", "member_agreement", "disagreement")
    assert units == ("logit", "logit", "share of members", "logit")
    first = values[:, 0].astype(float)
    missing = np.isnan(first).any(axis=0)
    high = (first >= np.array(LIMITS)[:, None, None]).sum(axis=0) / 3
    deviations = np.sqrt(((first - first.sum(axis=0) / 3) ** 2).sum(axis=0) / 2)
    expected = [first.sum(axis=0) / 3, deviations, np.where(missing, np.nan, high)]
    assert np.isnan(found[:3]).all(axis=0).sum() == missing.sum() == 7 * 9 + 20
    assert np.allclose(found[:3], expected, atol=1e-6, equal_nan=True)
    assert np.allclose(found[3], values[:, 1].mean(axis=0), atol=1e-6, equal_nan=True)
    assert tags["wildlens_members"] == "3" and tags["wildlens_step"] == "combine"
    assert all(f"classifier-{k}.safetensors" in tags["wildlens_inputs"] for k in (1, 2, 3))
    assert rio_cogeo.cog_validate(tmp_path / "out.tif")[0]


def test_without_thresholds_there_is_no_agreement(tmp_path):
    _, paths = three_members(tmp_path)
    combine_maps(paths, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.descriptions == ("gradcam", "member_sd", "disagreement")


def test_score_has_its_entropy_and_the_information_of_its_members(tmp_path):
    tags = {"wildlens_form": "score", "wildlens_method": "score", "unit": "score"}
    values = np.random.default_rng(4).random((3, 2, *SHAPE)).astype(np.float32)
    values[0, 0, 10] = np.nan
    values[:, 0, 20], values[:, 0, 30] = 0, 1
    values[0, 0, 40], values[1:, 0, 40] = 0, 1
    names = ("score", "disagreement")
    paths = [write_member(tmp_path, k + 1, own, names, **tags) for k, own in enumerate(values)]
    combine_maps(paths, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        found = dict(zip(dataset.descriptions, dataset.read(), strict=True))
        assert dataset.units[2:4] == ("bit", "bit")
    assert list(found) == ["score", "member_sd", "entropy", "mutual_information", "disagreement"]
    scores = values[:, 0].astype(float)

    def bits(p):
        with np.errstate(all="ignore"):
            return np.nan_to_num(-p * np.log2(p)) + np.nan_to_num(-(1 - p) * np.log2(1 - p))

    whole, known = bits(scores.mean(axis=0)), np.arange(SHAPE[0]) != 10
    assert found["entropy"][known] == pytest.approx(whole[known], abs=1e-6)
    information = whole - bits(scores).mean(axis=0)
    assert found["mutual_information"][known] == pytest.approx(information[known], abs=1e-6)
    assert np.isnan(found["entropy"][10]).all() and np.isnan(found["mutual_information"][10]).all()
    assert (found["entropy"][[20, 30]] == 0).all()
    assert (found["mutual_information"][40] == found["entropy"][40]).all()


def test_equal_members_agree_and_do_not_vary():
    values = np.full((2, 3, 3), 0.5, np.float32)
    mean, sd = mean_and_sd(values)
    assert (mean == 0.5).all() and (sd == 0).all()
    assert (agreement(values, [0.5, 0.5]) == 1).all()
    assert (agreement(values, [0.5, 0.6]) == 0.5).all()


def test_generated_images_are_averaged_in_their_form(tmp_path):
    stored = np.random.default_rng(2).integers(1, 3000, (2, 3, 40, 50)).astype(np.uint16)
    stored[1, 2, 5, 6] = 0
    names, tags = ("B02", "B03", "B04"), {"wildlens_form": "image", "wildlens_method": "minimized"}
    paths = [write_member(tmp_path, k, own, names, **tags) for k, own in enumerate(stored)]
    combine_maps(paths, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        found = dataset.read()
        assert dataset.descriptions == names and dataset.nodata == 0
        assert dataset.scales == (1e-4,) * 3 and dataset.units == ("reflectance",) * 3
    expected = np.rint(stored.astype(float).mean(axis=0))
    expected[2, 5, 6] = 0
    assert found.dtype == np.uint16 and np.array_equal(found, expected)


def test_members_may_differ_in_their_warning(tmp_path):
    _, paths = three_members(tmp_path, **{WARNING_TAG: "lake is unlike the tiles"})
    other = write_member(tmp_path / "other", 4, np.ones((2, *SHAPE), np.float32))
    combine_maps([paths[0], other], tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.tags()[WARNING_TAG] == "lake is unlike the tiles"


def refused(paths, output, thresholds=None) -> str:
    with pytest.raises(WildLensError) as error:
        combine_maps(paths, output, thresholds)
    assert not output.exists() and "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_combined_is_refused_in_one_line(tmp_path):
    _, paths = three_members(tmp_path)
    out, limits = tmp_path / "out.tif", write_limits(tmp_path / "limits.csv", LIMITS[:2])
    assert "is one member only" in refused(paths[:1], out)
    assert "made with the models of" in refused([paths[0], paths[0]], out)
    assert "has thresholds of 2 members, not of 3" in refused(paths, out, limits)
    limits.write_text("nothing\n")
    assert "has no thresholds of members" in refused(paths, out, limits)
    values = np.ones((2, 20, 30), np.float32)
    small = write_member(tmp_path / "small", 4, values)
    assert "another grid, or other bands" in refused([paths[0], small], out)
    scene = write_member(tmp_path / "scene", 5, values, wildlens_scene="field")
    assert "wildlens_scene differs" in refused([small, scene], out)
    inputs = '{"lake.tif": "another", "classifier-6.safetensors": "6"}'
    again = write_member(tmp_path / "again", 6, values, wildlens_inputs=inputs)
    assert "lake.tif differs" in refused([small, again], out)
    for text in ("{", "[1]", '{"lake.tif": 1}', "[" * 100_000):
        broken = write_member(tmp_path / "broken", 7, values, wildlens_inputs=text)
        said = refused([small, broken], out)
        assert "its tag wildlens_inputs is no JSON object: map it again" in said
