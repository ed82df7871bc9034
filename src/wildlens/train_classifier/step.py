"""Pattern learning (paper, II.A): a classifier tells protected from anthropogenic tiles.

And, beyond the paper, from tiles of further classes; one of them all is explained.
"""

import copy
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from wildlens import provenance
from wildlens.errors import WildLensError
from wildlens.files.tables import from_columns, to_columns, write_table
from wildlens.networks import weights
from wildlens.networks.architectures import build_network
from wildlens.networks.device import choose_device, in_precision, on_device
from wildlens.progress import duration, track
from wildlens.settings import Classifier
from wildlens.train_classifier.cutmix import Mix, cutmix, draw_mix
from wildlens.training.checkpoint import (
    SECONDS,
    Checkpoints,
    load_optimizer,
    made_of,
    random_states,
    set_random_states,
)
from wildlens.training.classes import Classes
from wildlens.training.data import (
    TileSet,
    TrainingSet,
    batches,
    draw_symmetries,
    load_training_set,
    turned,
)
from wildlens.training.prefetch import WORKERS, made_ahead
from wildlens.training.processes import Processes
from wildlens.training.synchronised import of_whole_batch
from wildlens.warnings import write_warnings

log = logging.getLogger(__name__)

FGSM_STEP = 0.1  # standard deviations of each band
EXPLODED = 100.0  # a loss that guessing would not reach by far (0.7)
CHANCE = 0.6  # validation accuracy below which the classifier has learnt nothing to explain
# FGSM accuracy below which explanations of a U-Net were seen to collapse. Not of the local family:
# there a step on every pixel adds up under the mean, and explanations were good at 0.1.
BRITTLE = 0.3


def train(
    tiles: Path,
    output: Path,
    metrics: Path,
    settings: Classifier,
    *,
    device: str = "auto",
    checkpoints: Path | None = None,
    checkpoint_seconds: float = SECONDS,
    workers: int = WORKERS,
) -> None:
    """Train a classifier and write it, its training curve and its accuracies.

    Keeps the weights of the epoch with the lowest validation loss. Writes `output` (safetensors),
    `metrics/training.csv` (a row an epoch), `metrics/accuracy.csv` (a row a split) and
    `metrics/confusion.csv` (a row a split and class, a column a predicted class).

    With a folder for `checkpoints`, goes on from the newest one there, writes one every
    `checkpoint_seconds`, and removes them when the classifier is written. Threads (`workers`)
    prepare the batches to come.
    """
    where = choose_device(device)
    processes = Processes.joined(where)
    data = load_training_set(tiles)
    record = provenance.record("train-classifier", settings, [tiles])
    keeper = Checkpoints(
        checkpoints, "classifier", made_of("classifier", settings, record, __name__),
        checkpoint_seconds, processes,
    )  # fmt: skip
    classes = Classes(data.classes, settings.target)
    torch.manual_seed(settings.seed)
    arguments = network_arguments(settings, len(data.bands), data.tile_size, classes)
    network = build(settings, arguments)
    network.standardise.set_statistics(data.mean, data.sd)
    network.to(where, memory_format=torch.channels_last)

    history = _fit(of_whole_batch(network, processes), data, settings, where, keeper, workers)
    if not processes.first:
        return
    accuracy, confusion = [], []
    for name, tile_set in data.splits.items():
        figures, table = measure(network, tile_set, classes, where)
        accuracy.append({"split": name, **figures})
        confusion += [{"split": name, **row} for row in table]
    write_table(metrics / "training.csv", history)
    write_table(metrics / "accuracy.csv", accuracy)
    write_table(metrics / "confusion.csv", confusion)
    write_warnings(metrics / "warnings.txt", "classifier", _judge(accuracy, settings.architecture))
    weights.save(
        output,
        {"classifier": network},
        kind=settings.architecture,
        arguments=arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=record,
        classes=classes.names,
        target=classes.target,
    )
    keeper.remove()


def network_arguments(settings: Classifier, bands: int, tile_size: int, classes: Classes) -> dict:
    """Arguments of the network's constructor, as they are saved in the model's file."""
    several = {"outputs": classes.outputs, "target": classes.number} if classes.outputs > 1 else {}
    if settings.architecture == "local":
        return {"bands": bands, "width": settings.width, **several}
    return {
        "bands": bands,
        "tile_size": tile_size,
        "width": settings.width,
        "depth": settings.depth,
        "maps": settings.maps,
        "strides": list(settings.strides),
        "dropout": settings.dropout,
        "pixel_occlusion": settings.pixel_occlusion,
        **several,
    }


def build(settings: Classifier, arguments: dict) -> nn.Module:
    """A fresh network from the present random state."""
    try:
        return build_network(settings.architecture, arguments)
    except ValueError as error:
        raise WildLensError(
            f"classifier: {error}; change classifier.strides or tiles.size"
        ) from None


class Course:
    """A training under way: all that its further steps depend on."""

    def __init__(
        self,
        network: nn.Module,
        tiles: TileSet,
        classes: Classes,
        settings: Classifier,
        where: torch.device,
        processes: Processes,
        workers: int,
    ):
        self.network, self.tiles, self.settings, self.where = network, tiles, settings, where
        self.classes, self.processes, self.workers = classes, processes, workers
        self.generator = np.random.default_rng(settings.seed)
        self.drawn = self.generator.bit_generator.state  # when the last batch that was used was
        self.batches = len(batches(len(tiles), settings.batch_size, self.generator))
        self.order: list[np.ndarray] = []  # of the epoch's batches; empty between two epochs
        self.losses: list[float] = []  # of the epoch: one for each batch of `order` that is done
        self.history: list[dict] = []
        self.best: dict[str, Tensor] = {}
        self.best_loss = float("inf")
        self.optimizer = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, settings.max_rate, total_steps=settings.epochs * self.batches
        )

    @property
    def steps(self) -> int:
        """Steps done in all epochs."""
        return len(self.history) * self.batches + len(self.losses)

    def epoch(self) -> Iterator["Batch"]:
        """The batches that are left of the present epoch; of a new one, where it has ended."""
        if not self.order:
            self.order = batches(len(self.tiles), self.settings.batch_size, self.generator)
        self.network.train()
        return made_ahead(self._plans(), self._batch, self.workers)

    @property
    def left(self) -> int:
        """Number of the epoch's batches that are left."""
        return (len(self.order) or self.batches) - len(self.losses)

    def step(self, batch: "Batch") -> None:
        """One step on the tiles of a batch."""
        self.drawn = batch.drawn
        images, targets = on_device(batch.images, self.where), batch.targets.to(self.where)
        with in_precision(self.settings.precision, self.where):
            loss = _loss(self.network, self.classes, images, targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.processes.average_gradients([self.network])
        self.optimizer.step()
        self.schedule.step()
        self.losses += self.processes.mean([loss.item()])
        if not self.losses[-1] < EXPLODED:  # not a number, either
            raise WildLensError(
                f"classifier: the loss is {self.losses[-1]:.3g} at step {self.steps}; "
                "lower classifier.max_rate"
            )

    def end_epoch(self, validation: TileSet) -> dict:
        """Validate, keep the weights if they are the best yet; returns the epoch's row."""
        logits, labels = predict(self.network, validation, self.where)
        row = {
            "epoch": len(self.history) + 1,
            "rate": self.schedule.get_last_lr()[0],
            "train_loss": float(np.mean(self.losses)),
            "val_loss": self.classes.loss(logits, self.classes.targets(labels)).item(),
            "val_accuracy": self.classes.accuracy(logits, labels),
        }
        self.history.append(row)
        self.order, self.losses = [], []
        if row["val_loss"] <= self.best_loss:
            self.best, self.best_loss = copy.deepcopy(self.network.state_dict()), row["val_loss"]
        return row

    def _plans(self) -> Iterator["Plan"]:
        for indices in self.order[len(self.losses) :]:
            targets = self.classes.targets(self.tiles.labels[torch.from_numpy(indices)])
            yield Plan.draw(indices, targets, self.tiles.size, self.settings, self.generator)

    def _batch(self, plan: "Plan") -> "Batch":
        rows = self.processes.share(np.arange(len(plan.indices)))
        images, targets = plan.augmented(self.tiles, rows)
        if self.where.type == "cuda":
            images, targets = images.pin_memory(), targets.pin_memory()
        return Batch(images, targets, plan.drawn)

    def state(self) -> dict:
        """What `load_state` needs, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": random_states(self.drawn, self.where),
            "order": [indices.tolist() for indices in self.order],
            "losses": self.losses,
            "history": to_columns(self.history),
            "best": self.best,
            "best_loss": self.best_loss,
        }

    def load_state(self, state: dict) -> None:
        """Go back to what `state` gave."""
        self.network.load_state_dict(state["network"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        set_random_states(state["random"], self.generator, self.where)
        self.drawn = self.generator.bit_generator.state
        self.order = [np.array(indices) for indices in state["order"]]
        self.losses, self.best_loss = state["losses"], state["best_loss"]
        self.history, self.best = from_columns(state["history"]), state["best"]


@dataclass(frozen=True)
class Plan:
    """All that is random about a batch.

    Attributes:
        indices, symmetries: (N,) which tiles, and how each is turned.
        targets: (N,) or (N, classes), before they are mixed.
        mix: how they are mixed, if they are.
        drawn: state of the generator after all of it was drawn.
    """

    indices: np.ndarray
    symmetries: np.ndarray
    targets: Tensor
    mix: Mix | None
    drawn: dict

    @classmethod
    def draw(
        cls,
        indices: np.ndarray,
        targets: Tensor,
        side: int,
        settings: Classifier,
        generator: np.random.Generator,
    ) -> "Plan":
        symmetries, mix = draw_symmetries(len(indices), generator), None
        if generator.random() < settings.cutmix:
            mix = draw_mix(targets, side, side, generator, settings.cutmix_form)
        return cls(indices, symmetries, targets, mix, generator.bit_generator.state)

    def augmented(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (n, C, S, S) and their shares of the classes, of these rows of the batch."""
        own = self._turned(tiles, rows)
        if self.mix is None:
            return own
        return cutmix(*own, *self._turned(tiles, self.mix.partners[rows]), self.mix)

    def _turned(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        images = turned(tiles.images(self.indices[rows]), self.symmetries[rows])
        return images, self.targets[torch.from_numpy(rows)]


@dataclass(frozen=True)
class Batch:
    """This process's share of a batch, and the state of the generator after its drawing."""

    images: Tensor
    targets: Tensor
    drawn: dict


def _fit(
    network: nn.Module,
    data: TrainingSet,
    settings: Classifier,
    where: torch.device,
    checkpoints: Checkpoints,
    workers: int = 0,
) -> list[dict]:
    """Train in place; the network ends with its best weights. Returns the rows of the curve."""
    classes = Classes(data.classes, settings.target)
    course = Course(
        network, data.splits["train"], classes, settings, where, checkpoints.processes, workers
    )
    checkpoints.resume(course.load_state)
    start, first = time.monotonic(), course.steps
    with checkpoints.watching():
        while len(course.history) < settings.epochs:
            epoch = len(course.history) + 1
            what, left = f"classifier: epoch {epoch}", course.left
            for batch in track(course.epoch(), what, left, unit="batches"):
                course.step(batch)
                checkpoints.reached(course.steps, course.state)
            row = course.end_epoch(data.splits["val"])
            steps_left = (settings.epochs - epoch) * course.batches
            seconds = (time.monotonic() - start) / max(1, course.steps - first) * steps_left
            log.info(
                "classifier: epoch %d of %d, loss %.3f, validation loss %.3f, accuracy %.3f, "
                "%s left",
                epoch, settings.epochs, row["train_loss"], row["val_loss"], row["val_accuracy"],
                duration(seconds),
            )  # fmt: skip
    if course.best:
        network.load_state_dict(course.best)
    network.eval()
    return course.history


def _loss(network: nn.Module, classes: Classes, images: Tensor, targets: Tensor) -> Tensor:
    return classes.loss(network.class_logits(images).float(), targets)


@torch.no_grad()
def predict(network: nn.Module, tile_set: TileSet, where, size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits (N, outputs) and labels (N,) of all tiles of a set, on the CPU; in eval mode."""
    network.eval()
    chunks = np.array_split(np.arange(len(tile_set)), max(1, -(-len(tile_set) // size)))
    logits = [network.class_logits(tile_set.images(chunk).to(where)).cpu() for chunk in chunks]
    return torch.cat(logits), tile_set.labels


def measure(
    network: nn.Module, tile_set: TileSet, classes: Classes, where
) -> tuple[dict, list[dict]]:
    """Figures of a split, and its confusion matrix (a row a class).

    Figures are tiles, accuracy, AUROC of the target against the rest, and the accuracy after one
    step of the fast gradient sign method. The last needs no land cover, and foretells whether
    explanations of it mean anything.
    """
    logits, labels = predict(network, tile_set, where)
    of_target = network.against_rest(logits)
    figures = {
        "tiles": len(tile_set),
        "accuracy": classes.accuracy(logits, labels),
        "auroc": float(roc_auc_score((labels == classes.number).numpy(), of_target.numpy())),
        "fgsm_accuracy": _fgsm_accuracy(network, tile_set, classes, where),
    }
    table = [
        {"class": name, **{f"predicted {n}": c for n, c in zip(classes.names, row, strict=True)}}
        for name, row in zip(classes.names, classes.confusion(logits, labels).tolist(), strict=True)
    ]
    return figures, table


def _fgsm_accuracy(
    network: nn.Module, tile_set: TileSet, classes: Classes, where, most: int = 256
) -> float:
    """Accuracy after FGSM_STEP sd a band against the label (Goodfellow et al. 2015)."""
    chosen = np.linspace(0, len(tile_set) - 1, min(most, len(tile_set))).astype(int)
    right = 0.0
    for indices in np.array_split(chosen, -(-len(chosen) // 32)):
        images = tile_set.images(indices).to(where).requires_grad_()
        labels = tile_set.labels[torch.from_numpy(indices)].to(where)
        loss = classes.loss(network.class_logits(images), classes.targets(labels))
        (gradient,) = torch.autograd.grad(loss, images)
        step = FGSM_STEP * network.standardise.sd[:, None, None]
        with torch.no_grad():
            logits = network.class_logits(images + step * gradient.sign())
        right += classes.accuracy(logits, labels) * len(indices)
    return right / len(chosen)


def _judge(accuracy: list[dict], architecture: str) -> list[str]:
    """Say how good the classifier is; returns why explaining it would make no sense."""
    rows = {row["split"]: row for row in accuracy}
    for row in accuracy:
        log.info(
            "classifier: %s accuracy %.3f of %d tiles, AUROC %.3f, accuracy under FGSM %.3f",
            row["split"], row["accuracy"], row["tiles"], row["auroc"], row["fgsm_accuracy"],
        )  # fmt: skip
    if rows["val"]["accuracy"] < CHANCE:
        return [
            "validation accuracy is near chance: there is nothing to explain; "
            "train longer (classifier.epochs) or on more tiles"
        ]
    if architecture == "unet" and rows["val"]["fgsm_accuracy"] < BRITTLE:
        return [
            "a tiny step fools it; explanations of a classifier this brittle were seen to "
            "collapse: train with more cutmix or fewer channels"
        ]
    return []
