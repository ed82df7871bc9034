"""The task of `train-gan`: batches of the target class, the two phases, the curve."""

import numpy as np

from wildlens.files.tables import from_columns, to_columns
from wildlens.settings import Gan
from wildlens.train_gan.batches import Plan
from wildlens.train_gan.schedule import activation_weight, rate_factor
from wildlens.train_gan.trainer import Trainer
from wildlens.training.augmentation import epoch_batches
from wildlens.training.data import TileSet
from wildlens.training.loop import Batch, Task


class GanTask(Task):
    """Training of both generators on tiles of the target class.

    Attributes:
        history: one row per step.
    """

    name = "gan"
    loss_limit = 1000.0  # of any loss term
    remedy = "lower gan.rate"

    def __init__(
        self, trainer: Trainer, tiles: TileSet, settings: Gan, all_tiles: TileSet | None = None
    ):
        self.trainer, self.tiles, self.settings = trainer, tiles, settings
        self.all_tiles = tiles if all_tiles is None else all_tiles
        self.steps = settings.steps
        self.history: list[dict] = []

    def epoch(self, generator: np.random.Generator) -> list[np.ndarray]:
        return epoch_batches(len(self.tiles), self.settings.batch_size, generator)[::-1]

    def draw(self, indices: np.ndarray, generator: np.random.Generator) -> Plan:
        return Plan.draw(indices, self.tiles.size, self.settings, generator, len(self.all_tiles))

    def prepare(self, plan: Plan, rows: np.ndarray) -> Batch:
        return (plan.prepare(self.tiles, rows, self.all_tiles),)

    def step(self, number: int, batch: Batch) -> dict[str, float]:
        rate = self.settings.rate * rate_factor(number, self.settings)
        self.trainer.set_rate(rate)
        weight = activation_weight(number, self.settings)
        row = self.trainer.step(*batch, weight)
        self.history.append({"step": number + 1, "rate": rate, "lambda_am": weight, **row})
        return row

    def mean_of_last(self, key: str, count: int = 20) -> float:
        """Mean of a column of the curve over the last steps."""
        return float(np.mean([row[key] for row in self.history[-count:]]))

    def describe(self) -> str:
        keys = ("similarity_max", "similarity_min", "score", "score_max", "score_min")
        pretraining = len(self.history) <= self.settings.pretraining_steps
        return "{}, similarity {:.4f} / {:.4f}, score X {:.3f} X+ {:.3f} X- {:.3f}".format(
            "pre-training" if pretraining else "training", *map(self.mean_of_last, keys)
        )

    def state(self) -> dict:
        return {"trainer": self.trainer.state(), "history": to_columns(self.history)}

    def load_state(self, state: dict) -> None:
        self.trainer.load_state(state["trainer"])
        self.history = from_columns(state["history"])
