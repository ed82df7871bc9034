"""Pattern enhancement (paper, II.B): two generators learn to raise and to lower the score.

Generators and discriminators see tiles of the explained class only: the protected ones. Two
phases: first without activation maximisation, until both generators reproduce their input; then
with the complete loss.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wildlens import provenance
from wildlens.errors import WildLensError
from wildlens.files.tables import from_columns, to_columns, write_table
from wildlens.networks import weights
from wildlens.networks.classifier import UNetClassifier
from wildlens.networks.device import choose_device, on_device
from wildlens.networks.discriminator import PatchDiscriminator
from wildlens.networks.generator import Generator
from wildlens.progress import INTERVAL, duration
from wildlens.settings import Gan
from wildlens.train_gan import losses
from wildlens.train_gan.averaging import RunningMean
from wildlens.train_gan.objective import Objective
from wildlens.training.checkpoint import (
    SECONDS,
    Checkpoints,
    load_optimizer,
    made_of,
    random_states,
    set_random_states,
)
from wildlens.training.data import (
    TileSet,
    TrainingSet,
    batches,
    draw_crop,
    draw_symmetries,
    load_training_set,
    turned,
)
from wildlens.training.prefetch import WORKERS, made_ahead
from wildlens.training.processes import Processes
from wildlens.training.synchronised import of_whole_batch
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)

GRADIENT_NORM = 5.0  # clipped above; a generator that leaps does not come back

EXPLODED = 1000.0  # of any loss term: training has run away, and does not come back
SEPARATED = 0.1  # difference of the scores of X+ and X- below which a map shows noise


def train(
    tiles: Path,
    classifier: Path,
    output: Path,
    metrics: Path,
    settings: Gan,
    *,
    device: str = "auto",
    checkpoints: Path | None = None,
    checkpoint_seconds: float = SECONDS,
    workers: int = WORKERS,
) -> None:
    """Train both generators; write `output` (safetensors) and `metrics/training.csv`.

    With a folder for `checkpoints`, goes on from the newest one there, writes one every
    `checkpoint_seconds`, and removes them when the generators are written. Threads (`workers`)
    prepare the batches to come.
    """
    where = choose_device(device)
    processes = Processes.joined(where)
    data = load_training_set(tiles)
    frozen = weights.load_classifier(classifier).to(where)
    if frozen.bands != data.bands:
        raise WildLensError(
            f"{classifier}: was trained on {frozen.bands}, {tiles} has {data.bands}"
        )
    if settings.activation == "local" and not hasattr(frozen, "local_logits"):
        raise WildLensError(
            f"{classifier}: gives one score an image and none a place, as gan.activation: local "
            "needs; set gan.activation: score"
        )
    side = min(settings.crop or data.tile_size, data.tile_size)
    if isinstance(frozen, UNetClassifier) and side != frozen.tile_size:
        raise WildLensError(
            f"{classifier}: looks at images of {frozen.tile_size} px only, not of {side} px; "
            "set gan.crop to null, and tiles.size as it was when it was trained"
        )
    record = provenance.record("train-gan", settings, [tiles, classifier])
    keeper = Checkpoints(
        checkpoints, "gan", made_of("gan", settings, record, __name__),
        checkpoint_seconds, processes,
    )  # fmt: skip
    torch.manual_seed(settings.seed)
    arguments = generator_arguments(settings, len(data.bands))
    trainer = Trainer.build(frozen, data, arguments, settings, where, processes)
    tile_set = data.splits["train"].only(frozen.target_label)
    history = _fit(trainer, tile_set, settings, where, keeper, workers)
    if not processes.first:
        return
    write_table(metrics / "training.csv", history)
    write_warnings(metrics / "warnings.txt", "gan", _judge(history))
    weights.save(
        output,
        {
            "maximizer": trainer.kept["maximizer"].network,
            "minimizer": trainer.kept["minimizer"].network,
        },
        kind="generator",
        arguments=arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=record,
    )
    keeper.remove()
    scores = [_mean_of_last(history, key) for key in ("score", "score_max", "score_min")]
    log.info(
        "gan: %d steps; scores of the last batches: X %.3f, X+ %.3f, X- %.3f",
        settings.steps,
        *scores,
    )


def generator_arguments(settings: Gan, bands: int) -> dict:
    """Arguments of a generator's constructor, as they are saved in the models' file."""
    return {
        "bands": bands,
        "width": settings.width,
        "downsamplings": settings.downsamplings,
        "blocks": settings.blocks,
    }


@dataclass
class Trainer:
    """The networks of the modified CycleGAN, their optimizers, and one training step."""

    maximizer: Generator
    minimizer: Generator
    discriminators: nn.ModuleDict
    objective: Objective
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    kept: dict[str, RunningMean]
    processes: Processes

    @classmethod
    def build(
        cls,
        classifier: nn.Module,
        data: TrainingSet,
        arguments: dict,
        settings: Gan,
        where: torch.device,
        processes: Processes,
    ):
        """Fresh networks from the present random state."""
        maximizer, minimizer = Generator(**arguments), Generator(**arguments)
        discriminators = nn.ModuleDict(
            {
                name: PatchDiscriminator(len(data.bands), settings.discriminator_width)
                for name in ("maximizer", "minimizer")
            }
        )
        for network in (maximizer, minimizer, *discriminators.values()):
            network.standardise.set_statistics(data.mean, data.sd)
            network.to(where, memory_format=torch.channels_last)
            of_whole_batch(network, processes)
        pair = [*maximizer.parameters(), *minimizer.parameters()]
        betas = (0.5, 0.999)
        unit = data.sd[:, None, None].to(where) if settings.loss_unit == "standardised" else 1.0
        objective = Objective(classifier, maximizer, minimizer, discriminators, unit, settings)
        return cls(
            maximizer=maximizer,
            minimizer=minimizer,
            discriminators=discriminators,
            objective=objective,
            generator_optimizer=torch.optim.Adam(pair, settings.rate, betas),
            discriminator_optimizer=torch.optim.Adam(
                discriminators.parameters(), settings.rate, betas
            ),
            kept={
                "maximizer": RunningMean(maximizer, settings.averaging),
                "minimizer": RunningMean(minimizer, settings.averaging),
            },
            processes=processes,
        )

    def state(self) -> dict:
        """All that the steps to come depend on; see `load_state`."""
        networks = {name: network.state_dict() for name, network in self._trained().items()}
        return {
            "networks": networks,
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
        }

    def load_state(self, state: dict) -> None:
        """Go back to what `state` gave."""
        for name, network in self._trained().items():
            network.load_state_dict(state["networks"][name])
        load_optimizer(self.generator_optimizer, state["generator_optimizer"])
        load_optimizer(self.discriminator_optimizer, state["discriminator_optimizer"])

    def _trained(self) -> dict[str, nn.Module]:
        kept = {f"kept_{name}": mean.network for name, mean in self.kept.items()}
        return kept | {
            "maximizer": self.maximizer,
            "minimizer": self.minimizer,
            "discriminators": self.discriminators,
        }

    def step(self, images: Tensor, lambda_am: float) -> dict[str, float]:
        """One step of both generators, then one of both discriminators.

        images: (N, C, H, W), this process's share of the batch. Losses and scores are the batch's.
        """
        run = self.objective.run
        high, low = run(self.maximizer, images), run(self.minimizer, images)
        row, loss = self.generator_loss(images, high, low, lambda_am)
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.processes.average_gradients([self.maximizer, self.minimizer])
        for generator in (self.maximizer, self.minimizer):
            nn.utils.clip_grad_norm_(generator.parameters(), GRADIENT_NORM)
        self.generator_optimizer.step()
        row["discriminator"] = self._discriminator_step(images, high.detach(), low.detach())
        self.kept["maximizer"].update(self.maximizer)
        self.kept["minimizer"].update(self.minimizer)
        return dict(zip(row, self.processes.mean(list(row.values())), strict=True))

    def generator_loss(
        self, images: Tensor, high: Tensor, low: Tensor, lambda_am: float
    ) -> tuple[dict[str, float], Tensor]:
        """The objective's terms and mean scores by name, and what is to be lowered."""
        terms, logits = self.objective.terms(images, high, low)
        row = {name: value.item() for name, value in terms.items()}
        row |= {name: value.detach().sigmoid().mean().item() for name, value in logits.items()}
        return row, self.objective.weighted(terms, lambda_am)

    def _discriminator_step(self, images: Tensor, high: Tensor, low: Tensor) -> float:
        run = self.objective.run
        loss = sum(
            losses.discrimination(
                run(self.discriminators[name], images), run(self.discriminators[name], fake)
            )
            for name, fake in (("maximizer", high), ("minimizer", low))
        )
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.processes.average_gradients([self.discriminators])
        self.discriminator_optimizer.step()
        return loss.item()


def activation_weight(step: int, settings: Gan) -> float:
    """lambda_am at a step (from 0): 0 in pre-training, then rising over `ramp_steps`."""
    after = step - settings.pretraining_steps
    if after < 0:
        return 0.0
    if settings.ramp_steps == 0:
        return settings.lambda_am
    return settings.lambda_am * min(1.0, (after + 1) / settings.ramp_steps)


def rate_factor(step: int, settings: Gan) -> float:
    """Share of the rate at a step (from 0): 1 until `decay_from`, then linearly to 0 at the end."""
    start = settings.decay_from * settings.steps
    if step < start:
        return 1.0
    return (settings.steps - step) / (settings.steps - start)


@dataclass(frozen=True)
class Plan:
    """All that is random about a batch.

    Attributes:
        indices, symmetries: (N,) which tiles, and how each is turned. crop: rows and columns.
        queue: the epoch's batches that are left after it.
        drawn: state of the generator after all of it was drawn.
    """

    indices: np.ndarray
    symmetries: np.ndarray
    crop: tuple[slice, slice]
    queue: list[np.ndarray]
    drawn: dict

    @classmethod
    def draw(
        cls, queue: list[np.ndarray], side: int, settings: Gan, generator: np.random.Generator
    ) -> "Plan":
        """Of the last batch of the queue, which is taken from it."""
        indices = queue.pop()
        crop = draw_crop(side, settings.crop, generator)
        symmetries = draw_symmetries(len(indices), generator)
        return cls(indices, symmetries, crop, list(queue), generator.bit_generator.state)

    def images(self, tiles: TileSet, rows: np.ndarray) -> Tensor:
        """(n, C, H, W) of these rows of the batch."""
        return turned(tiles.images(self.indices[rows])[..., *self.crop], self.symmetries[rows])


def _fit(
    trainer: Trainer,
    tile_set: TileSet,
    settings: Gan,
    where: torch.device,
    checkpoints: Checkpoints,
    workers: int = 0,
) -> list[dict]:
    """Train in place; returns the rows of the curve."""
    generator = np.random.default_rng(settings.seed)
    history: list[dict] = []
    queue: list[np.ndarray] = []
    used: Plan | None = None  # for the last step; others were drawn ahead

    def state() -> dict:
        return {
            "trainer": trainer.state(),
            "random": random_states(used.drawn, where),
            "queue": [indices.tolist() for indices in used.queue],
            "history": to_columns(history),
        }

    def restore(saved: dict) -> None:
        trainer.load_state(saved["trainer"])
        set_random_states(saved["random"], generator, where)
        queue.extend(np.array(indices) for indices in saved["queue"])
        history.extend(from_columns(saved["history"]))

    def plans(count: int) -> Iterator[Plan]:
        for _ in range(count):
            if not queue:
                queue.extend(batches(len(tile_set), settings.batch_size, generator))
            yield Plan.draw(queue, tile_set.size, settings, generator)

    def batch(plan: Plan) -> tuple[Plan, Tensor]:
        rows = trainer.processes.share(np.arange(len(plan.indices)))
        images = plan.images(tile_set, rows)
        return plan, images.pin_memory() if where.type == "cuda" else images

    checkpoints.resume(restore)
    first = len(history)
    start = last = time.monotonic()
    with checkpoints.watching():
        ahead = made_ahead(plans(settings.steps - first), batch, workers)
        for step, (plan, images) in enumerate(ahead, start=first):
            used = plan
            history.append(_step(trainer, on_device(images, where), step, settings))
            now = time.monotonic()
            if now - last >= INTERVAL or step + 1 == settings.steps:
                last = now
                _report(history, settings, (now - start) / (step + 1 - first))
            checkpoints.reached(step + 1, state)
    return history


def _step(trainer: Trainer, images: Tensor, step: int, settings: Gan) -> dict:
    """One step (from 0) at the rate and the weights of its phase; returns its row of the curve."""
    factor = rate_factor(step, settings)
    for optimizer in (trainer.generator_optimizer, trainer.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * factor
    row = trainer.step(images, activation_weight(step, settings))
    for name, value in row.items():
        if not value < EXPLODED:  # not a number, either
            raise WildLensError(f"gan: {name} is {value:.3g} at step {step + 1}; lower gan.rate")
    return {"step": step + 1, "rate": settings.rate * factor, **row}


def _report(history: list[dict], settings: Gan, seconds: float) -> None:
    step = history[-1]["step"]
    phase = "pre-training" if step <= settings.pretraining_steps else "training"
    log.info(
        "gan: step %d of %d (%s), similarity %.4f / %.4f, score X %.3f X+ %.3f X- %.3f, "
        "%.2f steps/s, %s left",
        step, settings.steps, phase,
        *(_mean_of_last(history, key) for key in
          ("similarity_max", "similarity_min", "score", "score_max", "score_min")),
        1 / seconds, duration((settings.steps - step) * seconds),
    )  # fmt: skip


def _judge(history: list[dict]) -> list[str]:
    """Why maps of these generators would mean nothing."""
    high, low = (_mean_of_last(history, key) for key in ("score_max", "score_min"))
    if high - low >= SEPARATED:
        return []
    return [
        f"the scores of X+ ({high:.2f}) and X- ({low:.2f}) do not separate: maps will show noise; "
        "train longer (gan.steps) or with more gan.lambda_am, and see whether the classifier's "
        "accuracy is above chance"
    ]


def _mean_of_last(history: list[dict], key: str, count: int = 20) -> float:
    return float(np.mean([row[key] for row in history[-count:]]))
