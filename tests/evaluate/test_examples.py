"""Choice of the example tiles, and the file that figures read them from."""

import dataclasses

import numpy as np
import pytest

from wildlens.errors import WildLensError
from wildlens.evaluate.examples import Examples, choose_examples, read_examples, write_examples


def test_examples_are_chosen_by_their_scores():
    original = np.array([0.5, 0.9, 0.2, 0.7, 0.6, 0.4, 0.3])
    raised = np.array([0.9, 0.95, 0.99, 0.8, 0.7, 0.6, 0.97])
    lowered = np.array([0.1, 0.1, 0.1, 0.2, 0.55, 0.35, 0.02])
    chosen = choose_examples(np.stack([original, raised, lowered], axis=1))
    # tiles 1 and 3 fall most; tile 1 is shown already, and tile 6 is lowest but falls less
    assert list(chosen.items()) == [
        (1, "highest score"), (0, "median score"), (2, "lowest score"),
        (3, "largest fall of the score to X−"),
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_tiles_are_chosen_once_each(count):
    chosen = choose_examples(np.random.default_rng(0).random((count, 3)))
    assert sorted(chosen) == list(range(count))


def examples(count=3):
    rng = np.random.default_rng(0)
    return Examples(
        names=np.array([f"Å_{n}" for n in range(count)]),
        reasons=np.array(["largest fall of the score to X−"] * count),
        bands=np.array(["B02", "B03"]),
        images=rng.random((count, 3, 2, 8, 8)).astype(np.float32),
        scores=rng.random((count, 3)).astype(np.float32),
        valid=rng.random((count, 8, 8)) > 0.1,
    )


def test_examples_are_read_back_as_written(tmp_path):
    written = examples()
    write_examples(tmp_path / "examples.npz", written)
    found = read_examples(tmp_path / "examples.npz")
    for field in dataclasses.fields(Examples):
        one, other = getattr(found, field.name), getattr(written, field.name)
        assert one.dtype == other.dtype and np.array_equal(one, other)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"text"])
def test_a_file_without_examples_is_refused(tmp_path, content):
    (tmp_path / "examples.npz").write_bytes(content)
    assert "cannot be read as examples" in refusal(tmp_path / "examples.npz")


def refusal(path) -> str:
    with pytest.raises(WildLensError) as error:
        read_examples(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_array_of_that_name_is_refused(tmp_path):
    with (tmp_path / "examples.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert "cannot be read as examples" in refusal(tmp_path / "examples.npz")


def test_damaged_bytes_give_no_other_error(tmp_path):
    path, rng = tmp_path / "examples.npz", np.random.default_rng(0)
    write_examples(path, examples())
    intact, refused = path.read_bytes(), 0
    for attempt in range(600):
        damaged = bytearray(intact)
        if attempt % 3:
            damaged[rng.integers(len(damaged))] ^= rng.integers(1, 256)
        else:
            del damaged[rng.integers(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            read_examples(path)  # damage of a time or of a comment has no effect
        except WildLensError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 400


def test_pickled_or_unmatched_arrays_are_refused(tmp_path):
    path = tmp_path / "examples.npz"
    arrays = dataclasses.asdict(examples())
    np.savez(path, **arrays | {"names": np.array([{"a": 1}] * 3, object)})
    with pytest.raises(WildLensError, match="cannot be read as examples"):
        read_examples(path)
    write_examples(path, dataclasses.replace(examples(), scores=np.zeros((2, 3), np.float32)))
    with pytest.raises(ValueError, match="allow_pickle"):
        write_examples(path, dataclasses.replace(examples(), names=np.array([{}] * 3, object)))
    assert "do not belong together" in refusal(path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("names", (3, 1)), ("names", ()), ("reasons", (2,)), ("bands", (3,)),
        ("images", (3, 2, 2, 8, 8)), ("images", (3, 3, 8, 8)), ("scores", (3, 2)), ("scores", (3,)),
        ("valid", (3, 8, 9)), ("valid", (3, 8)), ("valid", (2, 8, 8)),
    ],
)  # fmt: skip
def test_arrays_of_other_shapes_are_refused(tmp_path, name, shape):
    found = examples()
    changed = np.zeros(shape, getattr(found, name).dtype)
    write_examples(tmp_path / "examples.npz", dataclasses.replace(found, **{name: changed}))
    assert "do not belong together" in refusal(tmp_path / "examples.npz")
