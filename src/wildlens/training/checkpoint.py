"""Checkpoints: a training can be interrupted at any moment and resumes from the last one."""

import json
import logging
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from wildlens.errors import WildLensError, one_line
from wildlens.provenance import code_digest
from wildlens.settings import Section
from wildlens.training import state_file
from wildlens.training.processes import Processes
from wildlens.training.signals import handled

log = logging.getLogger(__name__)

# Losing five minutes of a training of days costs little, and so does writing a checkpoint of the
# published configuration (1.4 GB, seconds) every five minutes. The interval is a time and not a
# number of steps, because the duration of a step differs a thousandfold between configurations.
SECONDS = 300.0
KEPT = 2  # number of checkpoints
REJECTED = "rejected"  # folder for checkpoints that cannot be resumed from


class Stopped(WildLensError):
    """A signal stopped the training after its state was saved."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_status = 128 + signal_number


class Checkpoints:
    """The checkpoints of one training in a folder.

    Args:
        folder: of the checkpoint files; None: none are written, and training cannot be resumed.
        name: name of the training, the prefix of messages and file names.
        fingerprint: what a checkpoint must match for training to resume from it: label (of a
            setting, an input, the code) -> value or digest.
        seconds: time between two checkpoints; 0: one after every step.
        processes: of the training. The first one writes; all stop after the same step. A training
            may resume with another number of processes.
    """

    def __init__(
        self,
        folder: Path | None,
        name: str,
        fingerprint: Mapping[str, str],
        seconds: float = SECONDS,
        processes: Processes | None = None,
    ):
        self.folder, self.name, self.fingerprint = folder, name, dict(fingerprint)
        self.seconds, self.processes = seconds, processes or Processes()
        self._last = time.monotonic()
        self._signal = 0

    @classmethod
    def none(cls) -> "Checkpoints":
        """For a training without checkpoints."""
        return cls(None, "", {})

    def renamed(self, suffix: str) -> "Checkpoints":
        """The same with another name of the files: `name`-`suffix`."""
        name = f"{self.name}-{suffix}"
        return Checkpoints(self.folder, name, self.fingerprint, self.seconds, self.processes)

    def resume(self, restore: Callable[[dict], None]) -> None:
        """Pass the state of the newest usable checkpoint, if there is one, to `restore`.

        A checkpoint that is corrupt, or that was made with different settings, data or code, is
        moved to the folder `rejected` with a warning, and the one before it is tried.
        """
        with self.processes.first_before_others():  # others find what it kept
            self._resume(restore)

    def _resume(self, restore: Callable[[dict], None]) -> None:
        for path in reversed(self._paths()):
            try:
                state, fingerprint = state_file.read(path)
            except ValueError as error:
                self._reject(path, f"cannot be read ({error})")
                continue
            if changed := _differences(fingerprint, self.fingerprint):
                self._reject(path, f"was made with different {', '.join(changed)}")
                continue
            try:
                restore(state)
            except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
                raise WildLensError(
                    f"{path}: does not fit this training: {one_line(error, 200)}; remove it"
                ) from None
            log.info("%s: resuming from step %d: %s", self.name, _step_of(path), path)
            return

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block runs, SIGTERM and SIGINT (Ctrl-C) stop the training in `reached`.

        Further signals do not interrupt the saving: schedulers and shells may send several.
        """
        if self.folder is None:
            yield
            return
        with handled(dict.fromkeys((signal.SIGTERM, signal.SIGINT), self._stop)):
            yield

    def _stop(self, number: int, frame: object) -> None:
        self._signal = number

    def reached(self, step: int, state: Callable[[], dict]) -> None:
        """Save `state()` if a checkpoint is due; after a signal save it and raise `Stopped`.

        Args:
            step: number of steps done.
            state: returns nested dicts and lists of tensors and JSON values.
        """
        if self.folder is None:
            return
        stopped = self.processes.maximum(self._signal)
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
                "run the same command again to resume",
                stopped,
            )

    def stop_before_another(self) -> None:
        """Raise `Stopped` if a signal came after the last step: no further training may begin."""
        if self.folder is None or not (number := self.processes.maximum(self._signal)):
            return
        raise Stopped(
            f"{self.name}: stopped by {signal.Signals(number).name} after the last step: "
            "run the same command again to go on",
            number,
        )

    def remove(self) -> None:
        """Remove the checkpoints of all starts, once the result of the training is written."""
        for path in self._paths(r"(-start-\d+)?"):
            path.unlink(missing_ok=True)

    def _save(self, path: Path, state: dict) -> None:
        state_file.write(path, state, self.fingerprint)
        for old in self._paths()[:-KEPT]:
            old.unlink(missing_ok=True)

    def _paths(self, suffix: str = "") -> list[Path]:
        """Checkpoint files of this training, oldest first; `suffix`: pattern after its name."""
        if self.folder is None or not self.folder.is_dir():
            return []
        pattern = re.compile(rf"{re.escape(self.name)}{suffix}-\d{{8,}}\.safetensors")
        paths = (p for p in self.folder.iterdir() if pattern.fullmatch(p.name))
        return sorted(paths, key=_step_of)

    def _reject(self, path: Path, why: str) -> None:
        target = self.folder / REJECTED / path.name
        try:
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
        except OSError as error:
            raise WildLensError(
                f"{path}: could not be moved to {target}: {error.strerror}"
            ) from None
        log.warning("%s: WARNING: %s %s; moved to %s", self.name, path, why, target)


def fingerprint(
    name: str, settings: Section, record: Mapping[str, str], module: str
) -> dict[str, str]:
    """Settings, inputs and code that a checkpoint must match for training to resume from it.

    Args:
        name: section of the settings. record: of `provenance.record`, whose inputs are used.
        module: the training's module, whose code is used.
    """
    values = {f"{name}.{key}": repr(value) for key, value in settings.model_dump().items()}
    return values | json.loads(record["wildlens_inputs"]) | {"code": code_digest(module)}


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Labels whose values differ."""
    return sorted(label for label in old.keys() | new.keys() if old.get(label) != new.get(label))


def _step_of(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
