"""Checkpoints: a training can be ended at any moment, and goes on from the last one."""

import json
import logging
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wildlens.errors import WildLensError, one_line
from wildlens.provenance import code_digest
from wildlens.settings import Section
from wildlens.training import state_file
from wildlens.training.processes import Processes

log = logging.getLogger(__name__)

# Five minutes of a training of days are cheap to lose, and a checkpoint of the published
# configuration (1.4 GB, seconds) every five minutes costs little. Time and not steps: steps of
# different settings and machines differ a thousandfold, and what a user loses is time.
SECONDS = 300.0
KEPT = 2
ASIDE = "set-aside"


class Stopped(WildLensError):
    """A signal ended the training; what it had reached is saved."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_status = 128 + signal_number


class Checkpoints:
    """The checkpoints of one training in a folder.

    Args:
        folder: where they lie; None: the training keeps none, and cannot be resumed.
        name: the training's name, with which messages and file names begin.
        made_of: what a checkpoint must have been made of to be gone on from: label (of a setting,
            an input, the code) -> value or digest.
        seconds: time between two checkpoints; 0: one after every step.
        processes: of the training. The first writes; all end after the same step. Their number
            may be another when the training goes on.
    """

    def __init__(
        self,
        folder: Path | None,
        name: str,
        made_of: Mapping[str, str],
        seconds: float = SECONDS,
        processes: Processes | None = None,
    ):
        self.folder, self.name, self.made_of = folder, name, dict(made_of)
        self.seconds, self.processes = seconds, processes or Processes()
        self._last = time.monotonic()
        self._signal = 0

    @classmethod
    def none(cls) -> "Checkpoints":
        """Of a training that keeps none."""
        return cls(None, "", {})

    def resume(self, restore: Callable[[dict], None]) -> None:
        """Hand the newest whole checkpoint of this training to `restore`, if there is one.

        One that is torn, or that other settings, data or code made, is moved to the folder
        `set-aside`, with a warning that names it, and the one before is looked at.
        """
        with self.processes.first_before_others():  # who then find what it has left
            self._resume(restore)

    def _resume(self, restore: Callable[[dict], None]) -> None:
        for path in reversed(self._paths()):
            try:
                state, made_of = state_file.read(path)
            except ValueError as error:
                self._set_aside(path, f"cannot be read ({error})")
                continue
            if changed := _differences(made_of, self.made_of):
                self._set_aside(path, f"was made with other {', '.join(changed)}")
                continue
            try:
                restore(state)
            except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
                raise WildLensError(
                    f"{path}: does not fit this training: {one_line(error, 200)}; remove it"
                ) from None
            log.info("%s: goes on from step %d: %s", self.name, _step_of(path), path)
            return

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block runs, SIGTERM and SIGINT (Ctrl-C) end the training at `reached`.

        Signals that follow do not cut the saving short: a scheduler or a shell may send several.
        """
        if self.folder is None:
            yield
            return
        # a signal that is ignored from the start, as by nohup, stays ignored
        numbers = (signal.SIGTERM, signal.SIGINT)
        numbers = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        self._signal = number

    def reached(self, step: int, state: Callable[[], dict]) -> None:
        """Save `state()` if the time has come; after a signal save it and raise `Stopped`.

        Args:
            step: steps done so far.
            state: gives dicts and lists, nested, of tensors and of what JSON holds.
        """
        if self.folder is None:
            return
        stopped = self.processes.highest(self._signal)
        if not stopped and time.monotonic() - self._last < self.seconds:
            return
        path = self.folder / f"{self.name}-{step:08d}.safetensors"
        if self.processes.first:
            self._save(path, state())
        self._last = time.monotonic()
        if stopped:
            self.processes.wait()
            name = signal.Signals(stopped).name
            raise Stopped(
                f"{self.name}: stopped by {name} after step {step}; saved {path}: "
                "the same command goes on from there",
                stopped,
            )

    def remove(self) -> None:
        """Remove the checkpoints: the training is finished, and its result is written."""
        for path in self._paths():
            path.unlink(missing_ok=True)

    def _save(self, path: Path, state: dict) -> None:
        state_file.write(path, state, self.made_of)
        for old in self._paths()[:-KEPT]:
            old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """Checkpoints by this name, oldest first."""
        if self.folder is None or not self.folder.is_dir():
            return []
        pattern = re.compile(rf"{re.escape(self.name)}-\d{{8,}}\.safetensors")
        paths = (p for p in self.folder.iterdir() if pattern.fullmatch(p.name))
        return sorted(paths, key=_step_of)

    def _set_aside(self, path: Path, why: str) -> None:
        target = self.folder / ASIDE / path.name
        try:
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
        except OSError as error:
            raise WildLensError(
                f"{path}: could not be moved to {target}: {error.strerror}"
            ) from None
        log.warning("%s: WARNING: %s %s; moved to %s", self.name, path, why, target)


def made_of(name: str, settings: Section, record: Mapping[str, str], module: str) -> dict[str, str]:
    """What the checkpoints of a training are made of, for `Checkpoints`.

    Args:
        name: the settings' section; record: of `provenance.record`, whose inputs are taken.
        module: the training's, whose code is taken.
    """
    values = {f"{name}.{key}": repr(value) for key, value in settings.model_dump().items()}
    return values | json.loads(record["wildlens_inputs"]) | {"code": code_digest(module)}


def random_states(drawn: dict, device: torch.device) -> dict:
    """The states of a training's random generators: numpy's, torch's, and the device's.

    Args:
        drawn: numpy's, when the last batch that was used was drawn; others were drawn ahead.
    """
    states = {"numpy": drawn, "cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(
    states: Mapping, generator: np.random.Generator, device: torch.device
) -> None:
    """Set what `random_states` gave; a device that the checkpoint has no state of keeps its own."""
    generator.bit_generator.state = states["numpy"]
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type in states and device.type == "mps":
        torch.mps.set_rng_state(states["mps"])


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Load an optimizer's state such that the next step has the same bits.

    A file holds tensors row by row. Moments must again lie in memory as their weights do, or an
    update runs through other kernels, with other rounding.
    """
    optimizer.load_state_dict(state)
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter).copy_(value)


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Labels whose values differ."""
    return sorted(label for label in old.keys() | new.keys() if old.get(label) != new.get(label))


def _step_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
