"""Tests of training: losses, schedules, CutMix, tiles, prefetching, both trainings end to end."""

import csv
import math
import time

import numpy as np
import pytest
import torch
import xarray
import zarr
from safetensors.torch import load_file
from trainable import ORIGIN, tile_set, write_tiles

from wildlens.errors import WildLensError
from wildlens.files.origin import origin_of_models
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.settings import Classifier, Gan
from wildlens.train_classifier import step as classifier_training
from wildlens.train_classifier.accuracy import warnings_about as classifier_warnings
from wildlens.train_classifier.cutmix import cutmix, draw_mix
from wildlens.train_classifier.task import ClassifierTask
from wildlens.train_gan import losses
from wildlens.train_gan import step as gan_training
from wildlens.train_gan.averaging import RunningMean
from wildlens.train_gan.schedule import activation_weight, rate_factor
from wildlens.train_gan.task import GanTask
from wildlens.train_gan.trainer import Trainer
from wildlens.training import statistics
from wildlens.training.augmentation import (
    apply_symmetries,
    draw_crop,
    draw_symmetries,
    epoch_batches,
)
from wildlens.training.data import TrainingSet, load_training_set
from wildlens.training.loop import Loop
from wildlens.training.prefetch import prefetch
from wildlens.training.processes import Processes
from wildlens.training.session import Session
from wildlens.training.statistics import band_statistics
from wildlens.warnings import write_warnings


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_losses_equal_formulas_in_float64():
    x = torch.tensor([[[[0.1, 0.4]], [[0.3, 0.2]]]], dtype=torch.float64)
    y = torch.tensor([[[[0.2, 0.1]], [[0.3, 0.6]]]], dtype=torch.float64)
    unit = torch.tensor([0.5, 2.0], dtype=torch.float64)[:, None, None]
    expected = (0.1 / 0.5 + 0.3 / 0.5 + 0.0 + 0.4 / 2.0) / 4
    assert losses.similarity(x, y, unit).item() == pytest.approx(expected, abs=1e-15)
    assert losses.cycle(x, y).item() == pytest.approx((0.1 + 0.3 + 0.4) / 4, abs=1e-15)
    weight = torch.tensor([[[[1.0, 4.0]]]], dtype=torch.float64)
    expected = (0.1 / 0.5 + 4 * 0.3 / 0.5 + 0.0 + 4 * 0.4 / 2.0) / 4
    assert losses.similarity(x, y, unit, weight).item() == pytest.approx(expected, abs=1e-15)
    root = losses.similarity(x, y, unit, weight, frobenius=True).item()
    squares = (0.1 / 0.5) ** 2 + 4 * (0.3 / 0.5) ** 2 + 0.0 + 4 * (0.4 / 2.0) ** 2
    assert root == pytest.approx(math.sqrt(squares / 4), abs=1e-11)
    two = torch.cat([x, x]), torch.cat([y, x])  # a norm of each image, not of the batch
    assert losses.similarity(*two, frobenius=True).item() == pytest.approx(
        losses.similarity(x, y, frobenius=True).item() / 2, abs=1e-6
    )

    logits = torch.tensor([-1.5, 0.0, 2.0], dtype=torch.float64)
    scores = [sigmoid(v) for v in (-1.5, 0.0, 2.0)]
    expected = sum((s - 1) ** 2 for s in scores) / 3
    assert losses.adversarial(logits).item() == pytest.approx(expected, abs=1e-15)
    up = -sum(math.log(s) for s in scores) / 3
    entropy = losses.adversarial(logits, cross_entropy=True).item()
    assert entropy == pytest.approx(up, abs=1e-15)
    down = -sum(math.log(1 - s) for s in scores) / 3
    assert losses.activation_maximisation(logits, True).item() == pytest.approx(up, abs=1e-14)
    assert losses.activation_maximisation(logits, False).item() == pytest.approx(down, abs=1e-14)
    local = logits.reshape(1, 1, 3).expand(2, 2, 3)  # the mean over all local logits
    assert losses.activation_maximisation(local, True).item() == pytest.approx(up, abs=1e-14)
    ended = [min(v, 0.5) for v in (-1.5, 0.0, 2.0)], [max(v, -0.5) for v in (-1.5, 0.0, 2.0)]
    up_ended = -sum(math.log(sigmoid(v)) for v in ended[0]) / 3
    down_ended = -sum(math.log(1 - sigmoid(v)) for v in ended[1]) / 3
    for natural, value in ((True, up_ended), (False, down_ended)):
        loss = losses.activation_maximisation(logits, natural, margin=0.5)
        assert loss.item() == pytest.approx(value, abs=1e-14)
    both = losses.discrimination(logits, logits).item()
    assert both == pytest.approx((up + down) / 2, abs=1e-14)


def training_set(seed=0, **options) -> TrainingSet:
    random = np.random.default_rng(seed)
    splits = {name: tile_set(random, **options) for name in ("train", "val", "test")}
    mean, sd = band_statistics(splits["train"].stored)
    return TrainingSet(splits, mean, sd, ["B04", "B08"], splits["train"].stored.shape[-1])


def train_gan(trainer: Trainer, tiles, settings: Gan, workers: int = 0) -> list[dict]:
    """Train in place; returns the curve."""
    task = GanTask(trainer, tiles, settings)
    Loop(task, Session(workers=workers), np.random.default_rng(settings.seed)).run()
    return task.history


def train_classifier(network, data: TrainingSet, settings: Classifier, workers: int = 0):
    """Train in place, to the best weights; returns the curve."""
    session, generator = Session(workers=workers), np.random.default_rng(settings.seed)
    task = ClassifierTask(network, data, settings, session, generator)
    Loop(task, session, generator).run()
    task.finish()
    return task.history


def trainer(settings: Gan, seed=0) -> tuple[Trainer, TrainingSet]:
    data = training_set(seed)
    torch.manual_seed(seed)
    classifier = LocalClassifier(2, width=4)
    classifier.standardise.set_statistics(data.mean, data.sd)
    brief = Classifier(architecture="local", width=4, epochs=5, batch_size=8, cutmix=0)
    train_classifier(classifier, data, brief)
    classifier.requires_grad_(False)
    arguments = {"bands": 2, "width": 4, "downsamplings": 1, "blocks": 2}
    device = torch.device("cpu")
    alone = Processes()
    return Trainer.build(classifier, data, arguments, settings, device, alone), data


@pytest.mark.parametrize("natural", [True, False])
@pytest.mark.parametrize("margin", [1.0, 0.0, -1.0])
def test_activation_maximisation_gradient_zero_past_margin(natural, margin):
    logits = torch.tensor([-3.0, -0.9, 0.1, 0.9, 3.0], requires_grad=True)
    losses.activation_maximisation(logits, natural, margin).backward()
    past = logits > margin if natural else logits < -margin
    assert torch.equal(logits.grad == 0, past)


@pytest.mark.parametrize("activation", ["score", "local"])
def test_activation_maximisation_trains_generators_and_separates_scores(activation):
    settings = Gan(
        activation=activation,
        activation_margin=None,
        lambda_inactive=0,
        steps=40,
        pretraining_steps=0,
        ramp_steps=0,
        lambda_am=10.0,  # far above the other terms, so that the outcome does not depend on chance
        rate=1e-3,
    )
    t, data = trainer(settings)
    images = data.splits["train"].images(np.arange(8))
    frozen = {k: v.clone() for k, v in t.objective.classifier.state_dict().items()}

    high, low = t.maximizer(images), t.minimizer(images)
    for generated, natural, generator in ((high, True, t.maximizer), (low, False, t.minimizer)):
        loss = losses.activation_maximisation(t.objective.classifier(generated), natural)
        gradients = torch.autograd.grad(loss, list(generator.parameters()), allow_unused=True)
        assert max(g.abs().max().item() for g in gradients if g is not None) > 1e-6

    first = t.step(images, settings.lambda_am)
    for _ in range(39):
        last = t.step(images, settings.lambda_am)
    assert last["activation_max"] < first["activation_max"] - 0.1
    assert last["activation_min"] < first["activation_min"] - 0.1
    assert last["score_min"] < last["score"] < last["score_max"]
    for name, value in t.objective.classifier.state_dict().items():
        assert torch.equal(value, frozen[name]), name


@pytest.mark.parametrize("activation", ["score", "local"])
def test_generator_loss_is_equation_6_without_discriminator_gradients(activation):
    settings = Gan(
        activation=activation,
        activation_margin=None,
        lambda_inactive=0,
        lambda_am=0.3,
        lambda_tv=0,
        loss_unit="reflectance",
    )
    t, data = trainer(settings)
    images = data.splits["train"].images(np.arange(4))
    high, low = t.maximizer(images), t.minimizer(images)
    row, loss = t.generator_loss(images, high, low, settings.lambda_am)
    judged = (
        t.objective.classifier(low)
        if activation == "score"
        else t.objective.classifier.local_logits(low)
    )
    low_scores = judged.double().sigmoid()
    assert row["activation_min"] == pytest.approx(-(1 - low_scores).log().mean().item(), rel=1e-5)
    assert row["score_min"] == pytest.approx(
        t.objective.classifier(low).sigmoid().mean().item(), rel=1e-5
    )
    parts = ("similarity_max", "similarity_min", "cycle", "adversarial")
    expected = sum(row[p] for p in parts) + 0.3 * (row["activation_max"] + row["activation_min"])
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert all(p.grad is None for p in t.discriminators.parameters())
    assert all(p.requires_grad for p in t.discriminators.parameters())


def test_frobenius_and_cross_entropy_equal_formulas():
    settings = Gan(similarity="frobenius", adversarial="cross_entropy", lambda_inactive=0)
    t, data = trainer(settings)
    images = data.splits["train"].images(np.arange(4))
    high, low = images + 0.01, images - 0.02 * torch.rand_like(images)
    row, _ = t.generator_loss(images, high, low, settings.lambda_am)
    for name, generated in (("similarity_max", high), ("similarity_min", low)):
        norms = [
            ((x - g) / t.objective.unit).double().norm()
            for x, g in zip(images, generated, strict=True)
        ]
        expected = np.mean(norms) / math.sqrt(images[0].numel())
        assert row[name] == pytest.approx(expected, rel=1e-5)
    judged = t.discriminators["maximizer"](high), t.discriminators["minimizer"](low)
    expected = -sum(logits.double().sigmoid().log().mean().item() for logits in judged)
    assert row["adversarial"] == pytest.approx(expected, rel=1e-5)
    # both generators start at the identity, where the root is not differentiable
    t.step(images, settings.lambda_am)
    assert all(p.isfinite().all() for p in t.minimizer.parameters())


@pytest.mark.parametrize("activation", ["score", "local"])
def test_similarity_weight_larger_where_activation_maximisation_inactive(activation):
    settings = Gan(
        activation=activation, activation_margin=-0.2, lambda_inactive=3.0, loss_unit="reflectance"
    )
    t, data = trainer(settings)
    images = data.splits["train"].images(np.arange(4))
    high, low = images + 0.01, images - 0.02 * torch.rand_like(images)
    row, _ = t.generator_loss(images, high, low, settings.lambda_am)
    logits = (
        t.objective.classifier(images)
        if activation == "score"
        else t.objective.classifier.local_logits(images)
    )
    for name, generated, ended in (
        ("similarity_max", high, logits > -0.2),
        ("similarity_min", low, logits < 0.2),
    ):
        assert 0 < ended.float().mean() < 1, "active and inactive logits are covered"
        ended = ended.numpy().reshape(4, 1, *(ended.shape[1:] or (1, 1)))
        repeats = images.shape[-1] // ended.shape[-1]
        weight = 1 + 3 * ended.repeat(repeats, axis=2).repeat(repeats, axis=3)
        difference = (images - generated).abs().detach().double().numpy()
        assert row[name] == pytest.approx((weight * difference).mean(), rel=1e-5)


def test_schedules_of_both_phases():
    settings = Gan(steps=100, pretraining_steps=10, ramp_steps=5, lambda_am=0.5, decay_from=0.3)
    weights = [activation_weight(step, settings) for step in range(100)]
    assert weights[:10] == [0.0] * 10
    assert np.allclose(weights[10:15], [0.1, 0.2, 0.3, 0.4, 0.5]) and set(weights[15:]) == {0.5}
    rates = [rate_factor(step, settings) for step in range(101)]
    assert rates[:31] == [1.0] * 31 and rates[100] == 0.0
    assert np.allclose(np.diff(rates[30:]), -1 / 70)
    assert activation_weight(10, settings.model_copy(update={"ramp_steps": 0})) == 0.5


def mixed_by(random, images, labels, form):
    """The whole batch, mixed."""
    mix = draw_mix(labels, *images.shape[-2:], random, form)
    return cutmix(images, labels, images[mix.partners], labels[mix.partners], mix)


@pytest.mark.parametrize("form", ["box", "strip"])
@pytest.mark.parametrize("seed", range(10))
def test_cutmix_label_equals_pixel_share(seed, form):
    random = np.random.default_rng(seed)
    labels = torch.from_numpy(random.integers(0, 2, 6).astype(np.float32))
    images = labels[:, None, None, None].expand(6, 3, 31, 40).clone()
    mixed, mixed_labels = mixed_by(random, images, labels, form)
    assert torch.allclose(mixed.mean(dim=(1, 2, 3)), mixed_labels, atol=1e-6)
    assert torch.equal(images, labels[:, None, None, None].expand(6, 3, 31, 40))


def test_cutmix_strips_along_every_edge_from_another_label():
    random, edges = np.random.default_rng(0), set()
    labels = torch.tensor([0.0, 0, 0, 1])
    images = torch.arange(4.0)[:, None, None, None].expand(4, 1, 20, 30).clone()
    for _ in range(60):
        mixed, shares = mixed_by(random, images, labels, "strip")
        changed = mixed[:, 0] != images[:, 0]
        share = changed[0].float().mean().item()
        assert 0 <= share <= 0.5
        if not share:
            continue
        assert set(mixed[3].unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
        assert (mixed[:3, 0][changed[:3]] == 3).all()  # the only one of the other label
        assert torch.allclose(shares, torch.tensor([share, share, share, 1 - share]))
        rows, columns = changed[0].all(dim=1), changed[0].all(dim=0)
        assert changed[0].sum() == rows.sum() * 30 + columns.sum() * 20
        edges.add((bool(rows[0]), bool(rows[-1]), bool(columns[0]), bool(columns[-1])))
    assert len(edges) == 4
    mixed, shares = mixed_by(random, images, labels * 0, "strip")  # no image of another label
    assert torch.equal(mixed, images) and torch.equal(shares, labels * 0)


def test_one_cycle_schedule_peaks_and_ends_near_zero():
    data = training_set(count=16)
    settings = Classifier(architecture="local", width=4, epochs=10, batch_size=4, max_rate=0.02)
    network = LocalClassifier(2, width=4)
    network.standardise.set_statistics(data.mean, data.sd)
    history = train_classifier(network, data, settings)
    rates = [row["rate"] for row in history]
    assert max(rates) == pytest.approx(0.02, rel=0.05) and rates[-1] < 0.02 / 100
    assert np.argmax(rates) in (2, 3)


def test_running_mean_follows_by_decay():
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 0.0)
    mean = RunningMean(network, 0.9)
    torch.nn.init.constant_(network.weight, 1.0)
    for _ in range(3):
        mean.update(network)
    assert mean.network.weight.item() == pytest.approx(1 - 0.9**3)


def test_eight_symmetries_and_crops_inside_tile():
    random = np.random.default_rng(0)
    image = torch.arange(16.0).reshape(1, 1, 4, 4).expand(200, 1, 4, 4)
    seen = {
        tuple(view.flatten().tolist())
        for view in apply_symmetries(image, draw_symmetries(200, random))
    }
    assert len(seen) == 8
    assert image[..., *draw_crop(4, 3, random)].shape == (200, 1, 3, 3)
    for side in (None, 9):
        assert image[..., *draw_crop(4, side, random)].shape == image.shape


def test_epoch_batches_cover_without_repeats():
    random = np.random.default_rng(0)
    chosen = np.concatenate(epoch_batches(103, 10, random))
    assert len(chosen) == 100 and len(set(chosen)) == 100
    assert [len(b) for b in epoch_batches(3, 10, random)] == [3]


@pytest.mark.parametrize("seed", range(3))
def test_band_statistics_equal_float64_without_missing(seed):
    random = np.random.default_rng(seed)
    stored = random.integers(0, 2**16, (5, 3, 8, 8)).astype(np.uint16)
    stored[random.random(stored.shape) < 0.3] = 0
    mean, sd = band_statistics(stored)
    for band in range(3):
        valid = np.minimum(stored[:, band][stored[:, band] > 0] / 1e4, 1.0)
        assert mean[band].item() == pytest.approx(valid.mean(), rel=1e-6)
        assert sd[band].item() == pytest.approx(valid.std(), rel=1e-6)


@pytest.fixture
def tiles(tmp_path):
    return write_tiles(tmp_path / "tiles.zarr")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_trainings_end_to_end_repeat_bit_equal(tiles, tmp_path):
    classifier_settings = Classifier(
        architecture="local", width=4, epochs=6, batch_size=8, max_rate=0.02, cutmix=0.3
    )
    gan_settings = Gan(
        steps=12, pretraining_steps=3, ramp_steps=2, blocks=1, width=4, batch_size=4, restarts=0
    )  # fmt: skip
    for run in ("a", "b"):
        folder = tmp_path / run
        classifier_training.train(
            tiles, folder / "c.safetensors", folder, classifier_settings, device="cpu"
        )
        gan_training.train(
            tiles, folder / "c.safetensors", folder / "g.safetensors", folder / "gan",
            gan_settings, device="cpu",
        )  # fmt: skip
    accuracy = {row["split"]: row for row in rows(tmp_path / "a" / "accuracy.csv")}
    assert float(accuracy["test"]["accuracy"]) > 0.9 and int(accuracy["train"]["tiles"]) == 48
    curve = rows(tmp_path / "a" / "gan" / "training.csv")
    assert {row.pop("loss_unit") for row in curve} == {gan_settings.loss_unit}
    assert len(curve) == 12 and all(math.isfinite(float(v)) for v in curve[-1].values())
    for name in ("c.safetensors", "g.safetensors"):
        first, second = (load_file(tmp_path / run / name) for run in ("a", "b"))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    maximizer, _ = weights.load_generators(tmp_path / "a" / "g.safetensors")
    assert maximizer.bands == ["B04", "B08"] and maximizer.tile_size == 32
    models = [tmp_path / "a" / name for name in ("c.safetensors", "g.safetensors")]
    assert origin_of_models(models) == ORIGIN.in_words(), "the origin travels inside the models"


def test_gan_refuses_classifier_of_other_bands(tiles, tmp_path):
    path = tmp_path / "c.safetensors"
    weights.save(
        path, {"classifier": LocalClassifier(2, width=4)}, kind="local",
        arguments={"bands": 2, "width": 4}, bands=["B02", "B03"], tile_size=32, provenance={},
    )  # fmt: skip
    with pytest.raises(WildLensError, match=r"c\.safetensors: was trained on .*B02"):
        gan_training.train(tiles, path, tmp_path / "g", tmp_path / "m", Gan(), device="cpu")


def test_gan_refuses_classifier_without_local_logits(tiles, tmp_path):
    path, arguments = (
        tmp_path / "c.safetensors",
        {"bands": 2, "tile_size": 64, "strides": [2, 2, 2]},
    )
    weights.save(
        path, {"classifier": UNetClassifier(**arguments)}, kind="unet", arguments=arguments,
        bands=["B04", "B08"], tile_size=64, provenance={},
    )  # fmt: skip
    settings = Gan(activation="local")
    with pytest.raises(WildLensError, match=r"c\.safetensors: .*set gan\.activation: score"):
        gan_training.train(tiles, path, tmp_path / "g", tmp_path / "m", settings, device="cpu")


def test_gan_refuses_crop_of_wrong_size(tiles, tmp_path):
    path = tmp_path / "c.safetensors"
    arguments = {"bands": 2, "tile_size": 64, "width": 2}
    weights.save(
        path, {"classifier": UNetClassifier(**arguments)}, kind="unet", arguments=arguments,
        bands=["B04", "B08"], tile_size=64, provenance={},
    )  # fmt: skip
    with pytest.raises(WildLensError, match=r"c\.safetensors: .* 64 px only, not of 32 px; .*crop"):
        gan_training.train(tiles, path, tmp_path / "g", tmp_path / "m", Gan(crop=32), device="cpu")


def test_strides_that_do_not_fit_refused_in_one_line(tiles, tmp_path):
    with pytest.raises(WildLensError, match=r"classifier\.strides"):
        classifier_training.train(
            tiles,
            tmp_path / "c",
            tmp_path / "m",
            Classifier(architecture="unet", epochs=1),
            device="cpu",
        )


@pytest.mark.parametrize(
    ("architecture", "accuracy", "fgsm", "said"),
    [
        ("unet", 0.9, 0.1, "fools the classifier"),
        ("unet", 0.9, 0.6, None),
        ("local", 0.9, 0.1, None),
        ("local", 0.5, 0.1, "near chance"),
        ("unet", 0.5, 0.6, "near chance"),
    ],
)
def test_unsound_classifier_gives_warning(architecture, accuracy, fgsm, said):
    row = {"split": "val", "tiles": 9, "accuracy": accuracy, "auroc": 0.9, "fgsm_accuracy": fgsm}
    warnings = classifier_warnings([row], architecture)
    assert len(warnings) == (said is not None)
    assert all(said in warning for warning in warnings)


def test_warnings_logged_and_written(caplog, tmp_path):
    write_warnings(tmp_path / "w.txt", "gan", ["first; do this", "second; do that"])
    assert (tmp_path / "w.txt").read_text() == "first; do this\nsecond; do that\n"
    said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert said == ["gan: WARNING: first; do this", "gan: WARNING: second; do that"]
    write_warnings(tmp_path / "w.txt", "gan", [])
    assert (tmp_path / "w.txt").read_text() == "none\n"


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e5])
def test_diverged_training_stops_with_remedy(tiles, tmp_path, monkeypatch, loss):
    settings = Classifier(architecture="local", width=4, epochs=2, batch_size=8)
    with monkeypatch.context() as patch:
        broken = lambda task, images, *_: task.network(images).sum() * 0 + loss  # noqa: E731
        patch.setattr(ClassifierTask, "loss", broken)
        with pytest.raises(WildLensError, match=r"step 1; lower classifier\.max_rate"):
            classifier_training.train(tiles, tmp_path / "c", tmp_path / "m", settings, device="cpu")
    classifier_training.train(tiles, tmp_path / "c", tmp_path / "m", settings, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(losses, "cycle", lambda images, restored, unit: images.mean() * 0 + loss)
        with pytest.raises(WildLensError, match=r"cycle is .* at step 1; lower gan\.rate"):
            gan_training.train(
                tiles, tmp_path / "c", tmp_path / "g", tmp_path / "gm", Gan(batch_size=4),
                device="cpu",
            )  # fmt: skip
    assert not (tmp_path / "g").exists() and not (tmp_path / "gm").exists()


@pytest.mark.parametrize("seed", range(2))
def test_tiles_read_from_disk_equal_tiles_in_memory(tmp_path, seed):
    path = write_tiles(tmp_path / "tiles.zarr", seed)
    whole, lazy = load_training_set(path), load_training_set(path, in_memory=0)
    assert isinstance(whole.splits["train"].stored, np.ndarray)
    assert not isinstance(lazy.splits["train"].stored, np.ndarray)
    assert torch.equal(whole.mean, lazy.mean) and torch.equal(whole.sd, lazy.sd)
    assert (whole.tile_size, whole.bands) == (lazy.tile_size, lazy.bands)
    with xarray.open_zarr(path, mask_and_scale=False) as dataset:
        stored, split = dataset["reflectance"].values, dataset["split"].values
        labels = dataset["label"].values
    random = np.random.default_rng(seed)
    for name in whole.splits:
        for label in (None, 0, 1):
            sets = [data.splits[name] for data in (whole, lazy)]
            keep = split == name
            if label is not None:
                sets, keep = [tiles.only(label) for tiles in sets], keep & (labels == label)
            assert len(sets[0]) == len(sets[1]) == keep.sum()
            chosen = random.permutation(keep.sum())[:5]
            expected = torch.from_numpy(stored[keep][chosen] / np.float32(10_000))
            for tiles in sets:
                assert torch.equal(tiles.images(chosen), expected)
                assert tiles.labels.tolist() == labels[keep].tolist()


@pytest.mark.parametrize("value", [1, 777, 65_535])
@pytest.mark.parametrize("constant", [["B04"], ["B08"], ["B04", "B08"]])
def test_constant_band_is_refused_by_name(tmp_path, constant, value):
    path = write_tiles(tmp_path / "tiles.zarr")
    pixels = zarr.open(path / "reflectance", mode="r+")
    numbers = [["B04", "B08"].index(band) for band in constant]
    train = slice(0, 48)  # validation and test tiles vary
    missing = np.random.default_rng(0).random((48, 1, 32, 32)) < 0.1
    pixels[train, numbers] = np.where(missing, 0, value)
    with pytest.raises(WildLensError, match=f"bands constant in.*: {', '.join(constant)}: check"):
        classifier_training.train(
            path, tmp_path / "c", tmp_path / "m", Classifier(architecture="local"), device="cpu"
        )


def test_statistics_independent_of_chunk_size(monkeypatch):
    stored = tile_set(np.random.default_rng(0)).stored.copy()
    stored[:, :, :5] = 0
    at_once = band_statistics(stored)
    monkeypatch.setattr(statistics, "_AT_ONCE", 10_000)
    assert all(map(torch.equal, at_once, band_statistics(stored)))
    valid = stored[:, 1][stored[:, 1] > 0] / 10_000
    assert at_once[0][1] == pytest.approx(valid.mean())
    assert at_once[1][1] == pytest.approx(valid.std())
    few = band_statistics(stored, np.array([3, 7]))
    assert torch.equal(few[0], band_statistics(stored[[3, 7]])[0])


@pytest.mark.parametrize("workers", [1, 3])
def test_prefetch_keeps_order_and_bounded_lead(workers):
    drawn = []

    def plans():
        for plan in range(20):
            drawn.append(plan)
            yield plan

    def make(plan):
        time.sleep(0.002 * (plan % 3))  # later plans are ready earlier
        return plan * plan

    for done, value in enumerate(prefetch(plans(), make, workers)):
        assert value == done**2 and len(drawn) <= done + 1 + 2 * workers
    assert len(drawn) == 20


def test_prefetch_raises_worker_error_at_its_batch():
    batches_made = prefetch([1, 0, 2], lambda plan: 1 / plan, workers=2)
    assert next(batches_made) == 1
    with pytest.raises(ZeroDivisionError):
        next(batches_made)


def small_gan(**changes) -> Gan:
    return Gan(
        steps=6, pretraining_steps=2, ramp_steps=2, batch_size=5, crop=32, rate=1e-4, **changes
    )  # fmt: skip


def test_training_independent_of_workers_and_storage(tiles):
    results = []
    settings = Classifier(architecture="local", width=4, epochs=2, batch_size=7, cutmix=0.5)
    for workers, in_memory in ((0, 2**30), (1, 2**30), (3, 0)):
        data = load_training_set(tiles, in_memory)
        t, _ = trainer(small_gan())
        network = LocalClassifier(2, width=4)
        network.load_state_dict(t.objective.classifier.state_dict())
        curves = [
            train_gan(t, data.splits["train"], small_gan(), workers),
            train_classifier(network, data, settings, workers),
        ]
        results.append((curves, t.maximizer.state_dict() | network.state_dict()))
    for curves, states in results[1:]:
        assert curves == results[0][0]
        assert all(torch.equal(states[key], results[0][1][key]) for key in states)


def test_bfloat16_training_near_float32():
    data, curves = training_set(), {}
    settings = Classifier(architecture="local", width=4, epochs=2, batch_size=8, cutmix=0.5)
    for precision in ("float32", "bfloat16"):
        t, _ = trainer(small_gan(precision=precision))
        network = LocalClassifier(2, width=4)
        network.load_state_dict(t.objective.classifier.state_dict())
        changed = settings.model_copy(update={"precision": precision})
        curves[precision] = [
            train_gan(t, data.splits["train"], t.objective.settings),
            train_classifier(network, data, changed),
        ]
        trained = [*t.maximizer.parameters(), *network.parameters()]
        assert all(parameter.dtype == torch.float32 for parameter in trained)
    for exact, rounded in zip(curves["float32"], curves["bfloat16"], strict=True):
        assert exact != rounded
        for one, other in zip(exact, rounded, strict=True):
            for name in one.keys() - {"val_accuracy"}:
                assert other[name] == pytest.approx(one[name], abs=0.005), name
