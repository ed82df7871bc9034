"""Equation 6 with generators that are not the identity and weights that are not 1.

Expected values are computed naively in float64 from closed forms of small networks.
"""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wildlens.settings import Gan
from wildlens.train_gan import losses
from wildlens.train_gan.objective import Objective
from wildlens.train_gan.trainer import GRADIENT_NORM, Trainer, generator_arguments
from wildlens.training.processes import Processes

LAMBDAS = {"lambda_sim": 2.0, "lambda_tv": 11.0, "lambda_cyc": 3.0, "lambda_adv": 5.0}
LAMBDA_AM = 7.0
UNIT = np.array([0.5, 0.25])[:, None, None]
TERMS = (
    "similarity_max", "similarity_min", "variation", "cycle", "adversarial", "activation_max",
    "activation_min",
)  # fmt: skip


class Affine(nn.Module):
    """scale * X + shift, of each pixel."""

    def __init__(self, scale: float, shift: float):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * images + self.shift


class Classifier(nn.Module):
    """Local logits: differences of the bands in cells of 4 x 4 px; the logit is their mean."""

    def local_logits(self, images: Tensor) -> Tensor:
        cells = images.unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(-2, -1))
        return 8 * (cells[:, 0] - cells[:, 1])

    def forward(self, images: Tensor) -> Tensor:
        return self.local_logits(images).mean(dim=(1, 2))


def w_max(x):
    return 1.2 * x + 0.05


def w_min(x):
    return 0.7 * x - 0.02


def judged(x, which):
    """Patch logits of the two discriminators."""
    return 3 * x - 1 if which == "maximizer" else -2 * x + 0.5


def objective(**changes) -> Objective:
    settings = Gan(**LAMBDAS | {"lambda_inactive": 4.0, "activation_margin": 0.3} | changes)
    discriminators = nn.ModuleDict({"maximizer": Affine(3.0, -1.0), "minimizer": Affine(-2.0, 0.5)})
    unit = torch.from_numpy(UNIT).float()
    return Objective(
        Classifier(), Affine(1.2, 0.05), Affine(0.7, -0.02), discriminators, unit, settings
    )


def images() -> Tensor:
    return torch.rand((3, 2, 8, 8), generator=torch.Generator().manual_seed(1))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logits_of(x, local: bool) -> np.ndarray:
    cells = x.reshape(*x.shape[:2], 2, 4, 2, 4).mean(axis=(3, 5))
    found = 8 * (cells[:, 0] - cells[:, 1])
    return found if local else found.mean(axis=(1, 2))


def naive_terms(x: np.ndarray, settings: Gan) -> dict[str, float]:
    """All terms in float64, as the paper writes them, with this project's extensions."""
    local, margin = settings.activation == "local", settings.activation_margin
    high, low = w_max(x), w_min(x)

    def weight(natural):
        logits = logits_of(x, local)
        if margin is None:
            return np.ones_like(x[:, :1])
        past = logits > margin if natural else logits < -margin
        if local:
            past = past.repeat(4, axis=1).repeat(4, axis=2)[:, None]
        else:
            past = past[:, None, None, None] & np.ones_like(x[:, :1], dtype=bool)
        return 1 + settings.lambda_inactive * past

    def distance(other, pixel_weight):
        if settings.similarity == "frobenius":
            squares = pixel_weight * ((x - other) / UNIT) ** 2
            return np.sqrt(squares.mean(axis=(1, 2, 3))).mean()
        return (pixel_weight * np.abs(x - other) / UNIT).mean()

    def variation(other):
        change = (other - x) / UNIT
        return sum(np.abs(np.diff(change, axis=axis)).mean() for axis in (-1, -2))

    def cycle(other):
        return (np.abs(x - other) / UNIT).mean()

    def adversarial(logits):
        if settings.adversarial == "cross_entropy":
            return -np.log(sigmoid(logits)).mean()
        return ((sigmoid(logits) - 1) ** 2).mean()

    def activation(generated, natural):
        logits = logits_of(generated, local)
        if margin is not None:
            logits = np.minimum(logits, margin) if natural else np.maximum(logits, -margin)
        return -np.log(sigmoid(logits) if natural else 1 - sigmoid(logits)).mean()

    return {
        "similarity_max": distance(high, weight(True)),
        "similarity_min": distance(low, weight(False)),
        "variation": variation(high) + variation(low),
        "cycle": cycle(w_max(low)) + cycle(w_min(high)),
        "adversarial": adversarial(judged(high, "maximizer"))
        + adversarial(judged(low, "minimizer")),
        "activation_max": activation(high, True),
        "activation_min": activation(low, False),
    }


CASES = [
    {},
    {"activation": "score"},
    {"activation_margin": -0.4},
    {"activation_margin": None, "lambda_inactive": 0.0},
    {"similarity": "frobenius"},
    {"adversarial": "cross_entropy"},
]


@pytest.mark.parametrize("changes", CASES, ids=str)
def test_terms_and_sum_equal_equation_6_in_float64(changes):
    chosen = objective(**changes)
    x = images()
    high, low = chosen.maximizer(x), chosen.minimizer(x)
    terms, logits = chosen.terms(x, high, low)
    expected = naive_terms(x.double().numpy(), chosen.settings)
    assert list(terms) == list(TERMS)
    for name in TERMS:
        assert terms[name].item() == pytest.approx(expected[name], rel=2e-5), name
    total = (
        2 * (expected["similarity_max"] + expected["similarity_min"])
        + 11 * expected["variation"]
        + 3 * expected["cycle"]
        + 5 * expected["adversarial"]
        + 7 * (expected["activation_max"] + expected["activation_min"])
    )
    assert chosen.weighted(terms, LAMBDA_AM).item() == pytest.approx(total, rel=2e-5)
    parts = [v for k, v in expected.items() if not k.startswith("activation")]
    assert len(set(parts)) == len(parts), "no two terms can be exchanged unseen"
    for name, image in (("score", x), ("score_max", high), ("score_min", low)):
        wanted = logits_of(image.detach().double().numpy(), local=False)
        np.testing.assert_allclose(logits[name].detach(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changes", CASES, ids=str)
@pytest.mark.parametrize("name", ["maximizer", "minimizer"])
def test_generator_gradients_equal_finite_differences(changes, name):
    chosen = objective(**changes)
    x = images()

    def loss(scale: float) -> Tensor:
        generators = {"maximizer": chosen.maximizer, "minimizer": chosen.minimizer}
        generators[name].scale.data.fill_(scale)
        high, low = chosen.maximizer(x), chosen.minimizer(x)
        return chosen.weighted(chosen.terms(x, high, low)[0], LAMBDA_AM)

    parameter = getattr(chosen, name).scale
    start, step = parameter.item(), 1e-2
    (gradient,) = torch.autograd.grad(loss(start), parameter)
    numeric = (loss(start + step).item() - loss(start - step).item()) / (2 * step)
    assert gradient.item() == pytest.approx(numeric, rel=0.1, abs=0.05)


def test_objective_gives_discriminators_no_gradient():
    chosen = objective()
    x = images()
    terms, logits = chosen.terms(x, chosen.maximizer(x), chosen.minimizer(x))
    chosen.weighted(terms, LAMBDA_AM).backward()
    assert all(p.grad is None and p.requires_grad for p in chosen.discriminators.parameters())
    for generator in (chosen.maximizer, chosen.minimizer):
        assert all(p.grad is not None and p.grad != 0 for p in generator.parameters())
    assert not logits["score"].requires_grad
    assert logits["score_max"].requires_grad and logits["score_min"].requires_grad


def test_networks_run_in_the_precision_of_the_settings():
    exact, rounded = objective(), objective(precision="bfloat16")
    convolution = nn.Conv2d(2, 2, 1)
    outputs = [chosen.run(convolution, images()) for chosen in (exact, rounded)]
    assert torch.equal(outputs[0], convolution(images()))
    assert all(output.dtype == torch.float32 for output in outputs)
    assert not torch.equal(*outputs)
    assert torch.allclose(*outputs, atol=0.02)


@pytest.mark.parametrize("natural", [True, False])
def test_inactive_excludes_the_margin_itself(natural):
    logits = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    expected = [False] * 4 + [True] if natural else [True] + [False] * 4
    assert losses.inactive(logits, natural, 1.0).tolist() == expected
    none = losses.inactive(logits, natural, None)
    assert none.dtype == torch.bool and none.tolist() == [False] * 5


def trainer(**changes) -> Trainer:
    settings = Gan(blocks=1, width=2, downsamplings=1, discriminator_width=2, **changes)

    class Data:
        bands, mean, sd = ["B04", "B08"], torch.tensor([0.4, 0.6]), torch.tensor([0.3, 0.2])

    torch.manual_seed(0)
    return Trainer.build(
        Classifier(), Data, generator_arguments(settings, 2), settings, torch.device("cpu"),
        Processes(),
    )  # fmt: skip


@pytest.mark.parametrize(("lambda_am", "clipped"), [(1e4, True), (0.0, False)])
def test_step_clips_the_gradient_norm_of_each_generator(lambda_am, clipped):
    chosen, seen = trainer(activation_margin=None, lambda_inactive=0), []
    x = torch.rand((2, 2, 32, 32), generator=torch.Generator().manual_seed(2))
    high, low = chosen.maximizer(x), chosen.minimizer(x)
    _, loss = chosen.generator_loss(x, high, low, lambda_am)
    pair = (chosen.maximizer, chosen.minimizer)
    whole = [
        torch.autograd.grad(loss, list(g.parameters()), retain_graph=True, allow_unused=True)
        for g in pair
    ]
    chosen.generator_optimizer.step = lambda: seen.extend(
        [[p.grad.clone() for p in g.parameters()] for g in pair]
    )
    chosen.step(x, lambda_am)
    for gradients, unclipped in zip(seen, whole, strict=True):
        norm = torch.cat([g.flatten() for g in gradients]).norm().item()
        before = torch.cat([g.flatten() for g in unclipped]).norm().item()
        assert (before > GRADIENT_NORM) == clipped
        assert norm == pytest.approx(min(before, 5.0), rel=1e-3)
        for one, other in zip(gradients, unclipped, strict=True):
            scaled = other * min(1.0, 5.0 / before)
            assert torch.allclose(one, scaled, rtol=1e-3, atol=1e-5)


def test_step_trains_discriminators_to_tell_images_from_generated_ones():
    chosen = trainer()
    x = torch.rand((2, 2, 32, 32), generator=torch.Generator().manual_seed(2))
    high, low = chosen.maximizer(x).detach(), chosen.minimizer(x).detach()
    expected = sum(
        losses.discrimination(d(x), d(fake)).item()
        for d, fake in (
            (chosen.discriminators["maximizer"], high), (chosen.discriminators["minimizer"], low),
        )
    )  # fmt: skip
    assert chosen.step(x, 0.5)["discriminator"] == pytest.approx(expected, rel=1e-4)
