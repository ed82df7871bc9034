"""A head that starts as a mean, CutMix in small pieces, and evidence of what is there."""

import numpy as np
import pytest
import torch
from torch import nn
from trainable import tile_set

from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.standardise import Standardise
from wildlens.settings import Classifier
from wildlens.train_classifier.batches import Plan
from wildlens.train_classifier.cells import BLANK, OWN, PARTNER, draw_cells, mix_cells
from wildlens.train_classifier.presence import Evidence, evidence, warnings_about_evidence
from wildlens.train_classifier.task import parameter_groups
from wildlens.training.data import TileSet


def unet(outputs=1):
    torch.manual_seed(0)
    return UNetClassifier(
        2, 64, width=4, depth=2, strides=(2, 2, 2), dropout=0, outputs=outputs
    ).eval()


@pytest.mark.parametrize("level", [-0.8, 0.5, 1.0])
def test_head_without_noise_starts_as_mean_of_the_maps(level):
    network = unet()
    network.start_as_mean(gain=3.0, noise=0.0)
    maps = torch.full((1, 3, 64, 64), level)
    assert network.score(maps).item() == pytest.approx(3 * 3.0 * level, rel=1e-4)
    maps[:, 1:] = 0
    assert network.score(maps).item() == pytest.approx(3.0 * level, rel=1e-4)


def test_head_with_noise_starts_near_the_mean_and_raises_the_target_only():
    network = unet(outputs=3)
    network.start_as_mean(target=1)
    high, low = (network._head(torch.full((1, 3, 64, 64), level))[0] for level in (0.6, -0.6))
    assert (high - low)[1] > 3
    assert (high - low)[0] < -3 and (high - low)[2] < -3


def test_groups_hold_every_parameter_once_and_the_head_has_its_rate():
    network = unet()
    groups, rates = parameter_groups(network, Classifier(max_rate=0.01, head_rate=0.1))
    counted = [id(p) for group in groups for p in group["params"]]
    assert sorted(counted) == sorted(map(id, network.parameters()))
    assert rates == pytest.approx([0.01, 0.001])
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in network.head_parameters}
    groups, rates = parameter_groups(LocalClassifier(2, width=4), Classifier(head_rate=0.1))
    assert len(groups) == 1 and rates == [0.01]


@pytest.mark.parametrize("seed", range(6))
def test_cells_come_from_either_tile_or_are_blank_and_labels_count_their_pixels(seed):
    generator = np.random.default_rng(seed)
    images, labels = torch.rand(4, 2, 64, 64), torch.tensor([0.0, 1.0, 1.0, 0.0])
    cells = draw_cells(4, 64, 0.2, generator)
    partners, theirs = images[cells.partners], labels[cells.partners]
    mean, rows = torch.tensor([0.2, 0.4]), np.arange(4)
    mixed, targets = mix_cells(images, labels, partners, theirs, cells, rows, mean, 0.5)
    for i, origin in enumerate(cells.origin[:, 0]):
        assert torch.equal(mixed[i][:, origin == OWN], images[i][:, origin == OWN])
        assert torch.equal(mixed[i][:, origin == PARTNER], partners[i][:, origin == PARTNER])
        blank = mixed[i][:, origin == BLANK]
        if blank.numel():
            assert ((blank.mean(dim=1) / mean).log().abs() < 1).all()
        share = [(origin == kind).mean() for kind in (OWN, PARTNER, BLANK)]
        expected = share[0] * labels[i] + share[1] * theirs[i] + share[2] * 0.5
        assert targets[i].item() == pytest.approx(expected.item(), abs=1e-6)


def test_cells_of_several_classes_give_fractions_that_sum_to_one():
    cells = draw_cells(3, 64, 0.3, np.random.default_rng(1))
    images, labels = torch.rand(3, 2, 64, 64), torch.eye(3)
    _, targets = mix_cells(
        images, labels, images[cells.partners], labels[cells.partners], cells, np.arange(3),
        torch.rand(2), 1 / 3,
    )  # fmt: skip
    assert targets.sum(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_rows_of_a_mixed_batch_do_not_depend_on_how_it_is_shared():
    tiles = tile_set(np.random.default_rng(0))
    settings = Classifier(cutmix=1, cutmix_cells=1)
    indices = np.arange(6)
    targets = tiles.labels[:6]
    random = np.random.default_rng(3)
    plan = Plan.draw(indices, targets, targets == 1, tiles.size, settings, random)
    whole = plan.prepare(tiles, np.arange(6))
    part = plan.prepare(tiles, np.array([1, 4]))
    assert all(torch.equal(one, all_[[1, 4]]) for one, all_ in zip(part, whole, strict=True))


class Patterns(nn.Module):
    """Logit: weighted shares of bright (target's) and of dark (others') pixels."""

    def __init__(self, bright: float, dark: float):
        super().__init__()
        self.weights = bright, dark
        self.standardise = Standardise(1)
        self.standardise.set_statistics(torch.tensor([0.3]), torch.tensor([0.1]))

    def forward(self, images):
        bright = (images > 0.5).float().mean(dim=(1, 2, 3))
        dark = (images < 0.1).float().mean(dim=(1, 2, 3))
        return self.weights[0] * bright + self.weights[1] * dark


@pytest.mark.parametrize(("target", "others"), [(-0.12, -0.09), (1.0, 1.2), (0.5, 0.495)])
def test_a_classifier_that_tells_no_pieces_apart_has_the_lowest_presence(target, others):
    assert Evidence(target, others).presence == -10


@pytest.mark.parametrize(
    ("bright", "dark", "presence"), [(4, -4, 0.5), (4, 0, 1.0), (0, -4, 0.0), (-1, -4, -1 / 3)]
)
def test_presence_is_the_share_of_evidence_of_the_target(bright, dark, presence):
    stored = np.full((8, 1, 64, 64), 6000, np.uint16)
    stored[4:] = 500
    labels = torch.tensor([1.0] * 4 + [0.0] * 4)
    tiles = TileSet(stored, labels, torch.tensor([0.3]))
    found = evidence(Patterns(bright, dark), tiles, 1, torch.device("cpu"))
    assert found.presence == pytest.approx(presence, abs=0.12)
    unet = Classifier(architecture="unet", min_presence=0.25)
    assert bool(warnings_about_evidence(found, unet)) == (presence <= 0)


def test_a_classifier_without_evidence_for_the_target_is_a_warning():
    unet, local = (Classifier(architecture=name) for name in ("unet", "local"))
    assert not warnings_about_evidence(Evidence(1.1, -1.1), unet)
    assert not warnings_about_evidence(Evidence(-2.5, -3.5), local)
    (warning,) = warnings_about_evidence(Evidence(-2.5, -3.5), unet)
    assert "-2.50" in warning and "cutmix_cells" in warning
    assert warnings_about_evidence(Evidence(0.4, -1.1), unet)
    assert not warnings_about_evidence(
        Evidence(0.4, -1.1), Classifier(architecture="unet", min_presence=0.2)
    )
