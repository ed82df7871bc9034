"""Tests that a training interrupted at any moment resumes and gives the same bits."""

import logging
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors
import torch
from trainable import write_tiles

from wildlens.errors import WildLensError
from wildlens.settings import Classifier, Gan, dump_section
from wildlens.train_classifier.step import train as train_classifier
from wildlens.train_classifier.task import ClassifierTask
from wildlens.train_gan.step import train as train_gan
from wildlens.train_gan.task import GanTask
from wildlens.training import checkpoint, state_file
from wildlens.training.checkpoint import KEPT, REJECTED, Stopped
from wildlens.training.random_states import random_states, set_random_states

# local: mixed batches; unet: torch's random numbers in dropout and pixel occlusion
pytestmark = pytest.mark.minutes

LOCAL = Classifier(architecture="local", width=4, epochs=2, batch_size=8, cutmix=0.5)
UNET = Classifier(
    architecture="unet", width=2, depth=2, maps=2, strides=[2, 1, 1], epochs=2, batch_size=8,
    cutmix=0.5,
)  # fmt: skip
GAN = Gan(
    steps=9, pretraining_steps=3, ramp_steps=2, blocks=1, width=4, discriminator_width=4,
    batch_size=8, crop=32, restarts=0,
)  # fmt: skip
STEPS = {"local": 12, "unet": 12, "gan": 9}


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


class Killed(BaseException):
    """Raised by a test at the point where a process is killed without notice."""


class Place:
    """A folder with a training set and a classifier, in which trainings run."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.tiles = write_tiles(folder / "tiles.zarr")
        self.classifier = folder / "c.safetensors"
        train_classifier(self.tiles, self.classifier, folder / "c", LOCAL, device="cpu")

    def run(self, kind: str, run: str, settings=None, seconds: float = 0, **options) -> None:
        """Train, with checkpoints in a folder of the run's own."""
        out = self.folder / run
        inputs = [self.tiles, self.classifier] if kind == "gan" else [self.tiles]
        train = train_gan if kind == "gan" else train_classifier
        train(
            *inputs, out / "model.safetensors", out / "metrics", settings or SETTINGS[kind],
            device="cpu", checkpoints=out / "checkpoints", checkpoint_seconds=seconds, **options,
        )  # fmt: skip

    def checkpoints(self, run: str) -> list[Path]:
        return sorted((self.folder / run / "checkpoints").glob("[!.]*.safetensors"))

    def results(self, run: str) -> dict[str, object]:
        """All files that a training writes, as bytes; metadata of files have no order."""
        out = self.folder / run
        with safetensors.safe_open(out / "model.safetensors", "pt") as file:
            model = {key: bits(file.get_tensor(key)) for key in sorted(file.keys())}
            model |= file.metadata()
        return model | {path.name: path.read_bytes() for path in (out / "metrics").iterdir()}


SETTINGS = {"local": LOCAL, "unet": UNET, "gan": GAN}
TAKES_A_STEP = {
    "local": (ClassifierTask, "step"),
    "unet": (ClassifierTask, "step"),
    "gan": (GanTask, "step"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with uninterrupted runs of each kind."""
    made = Place(tmp_path_factory.mktemp("trainings"))
    for kind in SETTINGS:
        made.run(kind, f"{kind}-whole")
    return made


@pytest.fixture(autouse=True)
def signals():
    """The handlers of a program started from a shell: in the background, SIGINT is ignored."""
    handlers = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield handlers
    for number, handler in before.items():
        signal.signal(number, handler)


def during_step(monkeypatch, kind: str, number: int, act) -> None:
    """Call `act` in the middle of the n-th step of this process."""
    owner, name = TAKES_A_STEP[kind]
    step, count = getattr(owner, name), iter(range(1, 1000))

    def stepping(*arguments):
        if next(count) == number:
            act()
        return step(*arguments)

    monkeypatch.setattr(owner, name, stepping)


def kill():
    raise Killed


@pytest.mark.parametrize("kind", SETTINGS)
def test_signal_at_any_step_saves_and_resumes_bit_equal(place, monkeypatch, signals, kind):
    # both trainings: first step, within an epoch, its last step, the next one's first, the last
    for stop in (1, 4, 6, 7, STEPS[kind]):
        number = signal.SIGTERM if stop % 2 else signal.SIGINT
        run = f"{kind}-{number.name}-{stop}"
        with monkeypatch.context() as patch:
            during_step(patch, kind, stop, partial(os.kill, os.getpid(), number))
            with pytest.raises(Stopped, match=f"stopped by {number.name} after step {stop};") as e:
                place.run(kind, run, seconds=1e6)
        assert e.value.exit_status == 128 + number and "\n" not in str(e.value)
        (saved,) = place.checkpoints(run)
        assert f"-{stop:08d}." in saved.name and str(saved) in str(e.value)
        assert not (place.folder / run / "model.safetensors").exists()
        place.run(kind, run)
        assert place.results(run) == place.results(f"{kind}-whole"), stop
        assert place.checkpoints(run) == [], "a finished training leaves none"
        assert signal.getsignal(number) == signals[number], "as before the training"


@pytest.mark.parametrize("kind", SETTINGS)
def test_kill_at_any_step_resumes_from_last_checkpoint(place, monkeypatch, caplog, kind):
    caplog.set_level(logging.INFO)
    for stop in (1, 2, 7, STEPS[kind]):
        run = f"{kind}-kill-{stop}"
        with monkeypatch.context() as patch:
            during_step(patch, kind, stop, kill)
            with pytest.raises(Killed):
                place.run(kind, run)
        assert len(place.checkpoints(run)) == min(stop - 1, KEPT)
        caplog.clear()
        place.run(kind, run)
        said = [r.getMessage() for r in caplog.records if "resuming from step" in r.getMessage()]
        assert len(said) == (stop > 1) and all(f"step {stop - 1}:" in line for line in said)
        assert place.results(run) == place.results(f"{kind}-whole"), stop


def test_ignored_signal_stays_ignored(place, monkeypatch):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    during_step(monkeypatch, "local", 4, partial(os.kill, os.getpid(), signal.SIGINT))
    place.run("local", "ignored")
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert place.results("ignored") == place.results("local-whole")


@pytest.mark.parametrize("kind", SETTINGS)
def test_repeated_kills_resume_bit_equal(place, monkeypatch, kind):
    random = np.random.default_rng(0)
    run = f"{kind}-many"
    for _ in range(4):
        with monkeypatch.context() as patch:
            during_step(patch, kind, int(random.integers(2, 4)), kill)
            with pytest.raises(Killed):
                place.run(kind, run)
    place.run(kind, run)
    assert place.results(run) == place.results(f"{kind}-whole")


@pytest.mark.parametrize("kind", ["local", "gan"])
def test_checkpoints_by_time_keep_last_two(place, monkeypatch, kind):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(monotonic=lambda: clock.now))
    owner, name = TAKES_A_STEP[kind]
    step, kept = getattr(owner, name), []

    def stepping(*arguments):
        clock.now += 10
        kept.append([int(p.stem[-8:]) for p in place.checkpoints(f"{kind}-clock")])
        return step(*arguments)

    monkeypatch.setattr(owner, name, stepping)
    place.run(kind, f"{kind}-clock", seconds=20)
    # checkpoints present during steps 1 to 9
    assert kept[:9] == [[], [], [2], [2], [2, 4], [2, 4], [4, 6], [4, 6], [6, 8]]


def shortened(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_bit_flipped(content: bytes) -> bytes:
    middle = len(content) * 3 // 4
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def never_written(content: bytes) -> bytes:
    return bytes(len(content))


def no_state(content: bytes) -> bytes:
    return b"\x02\0\0\0\0\0\0\0{}"


@pytest.mark.parametrize(
    ("kind", "how_many", "damage"),
    [
        ("gan", 1, shortened),
        ("gan", 1, one_bit_flipped),
        ("gan", 1, no_state),
        ("gan", 2, never_written),
        ("local", 1, never_written),
        ("local", 2, shortened),
    ],
)
def test_corrupt_checkpoint_rejected_resumes_from_one_before(
    place, monkeypatch, caplog, kind, how_many, damage
):
    caplog.set_level(logging.INFO)
    run = f"{kind}-{damage.__name__}-{how_many}"
    with monkeypatch.context() as patch:
        during_step(patch, kind, 7, kill)
        with pytest.raises(Killed):
            place.run(kind, run)
    corrupt = place.checkpoints(run)[-how_many:]
    for path in corrupt:
        path.write_bytes(damage(path.read_bytes()))
    caplog.clear()
    place.run(kind, run)
    lines = [r.getMessage() for r in caplog.records]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    for path in corrupt:
        assert sum(str(path) in w and "cannot be read" in w for w in warnings) == 1
        assert (path.parent / REJECTED / path.name).exists()
    assert any("resuming from step 5:" in line for line in lines) == (how_many == 1)
    assert place.results(run) == place.results(f"{kind}-whole")


def test_checkpoint_of_different_settings_data_code_rejected(place, monkeypatch, caplog):
    def interrupted(run: str):
        with monkeypatch.context() as patch:
            during_step(patch, "gan", 4, kill)
            with pytest.raises(Killed):
                place.run("gan", run)
        caplog.clear()
        return place.checkpoints(run)[-1]

    def warning(path: Path) -> str:
        (line,) = [r.getMessage() for r in caplog.records if str(path) in r.getMessage()]
        assert f"moved to {path.parent / REJECTED / path.name}" in line and not path.exists()
        return line

    path = interrupted("gan-settings")
    place.run("gan", "gan-settings", GAN.model_copy(update={"rate": 0.5e-3, "crop": None}))
    assert "was made with different gan.crop, gan.rate;" in warning(path)

    path = interrupted("gan-data")
    with monkeypatch.context() as patch:
        patch.setattr(place, "tiles", write_tiles(place.folder / "other/tiles.zarr", seed=6))
        place.run("gan", "gan-data")
    assert "was made with different tiles.zarr;" in warning(path)

    path = interrupted("gan-code")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "code_digest", lambda module: "edited")
        place.run("gan", "gan-code")
    assert "was made with different code;" in warning(path)
    assert place.results("gan-code") == place.results("gan-whole")


def test_checkpoint_that_does_not_fit_refused_in_one_line(place):
    folder = place.folder / "misfit"
    folder.mkdir()
    keeper = checkpoint.Checkpoints(folder, "gan", {"code": "1"}, 0)
    keeper.reached(3, lambda: {"a": torch.ones(2)})
    fresh = checkpoint.Checkpoints(folder, "gan", {"code": "1"}, 0)
    with pytest.raises(WildLensError, match=r"gan-00000003\.safetensors: does not fit") as error:
        fresh.resume(lambda state: state["b"])
    assert "\n" not in str(error.value)


def command(place, kind: str, run: str) -> list[str]:
    """The command line of a training of 60 steps with a checkpoint after each."""
    folder = place.folder / run
    folder.mkdir(exist_ok=True)
    longer = {"epochs": 10} if kind == "local" else {"steps": 60}
    settings = folder / "settings.yaml"
    settings.write_text(dump_section(SETTINGS[kind].model_copy(update=longer)))
    start = ["train-gan", place.tiles, "--classifier", place.classifier]
    if kind == "local":
        start = ["train-classifier", place.tiles]
    return [
        *(sys.executable, "-c", "from wildlens.cli import main; main()"),
        *map(str, start),
        *("--output", str(folder / "model.safetensors"), "--metrics", str(folder / "metrics")),
        *("--settings", str(settings), "--device", "cpu"),
        *("--checkpoints", str(folder / "checkpoints"), "--checkpoint-seconds", "0"),
    ]


def newest_step(place, run: str) -> int:
    return max((int(p.stem[-8:]) for p in place.checkpoints(run)), default=0)


def started_and_under_way(place, kind: str, run: str) -> subprocess.Popen:
    """A training in its own process that has written a checkpoint."""
    before = newest_step(place, run)  # written by a process that was ended earlier
    process = subprocess.Popen(command(place, kind, run), stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while newest_step(place, run) <= before:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    return process


@pytest.fixture(scope="module")
def processes(place):
    """The folder, with uninterrupted runs of the commands."""
    for kind in ("local", "gan"):
        subprocess.run(command(place, kind, f"{kind}-process"), check=True, capture_output=True)
    return place


@pytest.mark.parametrize("kind", ["local", "gan"])
def test_real_processes_killed_resume_bit_equal(processes, kind):
    place, run = processes, f"{kind}-ended"
    process = started_and_under_way(place, kind, run)
    process.kill()
    assert process.wait() == -signal.SIGKILL

    process = started_and_under_way(place, kind, run)
    process.terminate()
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 128 + signal.SIGTERM
    assert "wildlens: error:" in said[-1] and "stopped by SIGTERM after step" in said[-1]
    assert not any("Traceback" in line for line in said)

    subprocess.run(command(place, kind, run), check=True, capture_output=True)
    assert place.results(run) == place.results(f"{kind}-process")


def test_full_disk_one_line_keeps_checkpoint(processes):
    place = processes
    process = started_and_under_way(place, "gan", "full")
    process.kill()
    process.wait()
    saved = {path: path.read_bytes() for path in place.checkpoints("full")}

    def no_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    run = subprocess.run(
        command(place, "gan", "full"), capture_output=True, text=True, preexec_fn=no_room
    )
    assert run.returncode == 1
    assert "could not be written: " in run.stderr.splitlines()[-1]
    assert str(place.folder / "full/checkpoints/gan-") in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert {path: path.read_bytes() for path in place.checkpoints("full")} == saved
    assert len(list((place.folder / "full/checkpoints").iterdir())) == len(saved)

    subprocess.run(command(place, "gan", "full"), check=True, capture_output=True)
    assert place.results("full") == place.results("gan-process")


def same(a, b) -> bool:
    """Whether values are equal to the last bit, including NaN; tuples are read back as lists."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bits(a) == bits(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


def random_state(random, depth=0):
    """Nested values of all kinds that trainings have."""
    kind = random.integers(8) if depth < 3 else random.integers(2, 8)
    count = int(random.integers(4))
    if kind == 0:
        keys = [int(random.integers(99)), "a", "tensor", "pairs"][:count]
        return {key: random_state(random, depth + 1) for key in keys}
    if kind == 1:
        return [random_state(random, depth + 1) for _ in range(count)]
    if kind == 2:
        shape = tuple(random.integers(0, 4, count))
        dtypes = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8]
        return torch.from_numpy(random.normal(0, 50, shape)).to(dtypes[random.integers(5)])
    if kind == 3:
        image = torch.from_numpy(random.normal(0, 1, (2, 3, 4, 5)))
        return image.contiguous(memory_format=torch.channels_last)
    scalars = [None, True, float("inf"), 2**127 + 1, 0.1 + 0.2, "ü\n\x00", float(random.normal())]
    return (scalars[random.integers(len(scalars))],)


@pytest.mark.parametrize("seed", range(100))
def test_state_file_round_trip_bit_equal(tmp_path, seed):
    random = np.random.default_rng(seed)
    state = {"x": random_state(random), "y": random_state(random)}
    state_file.write(tmp_path / "s.safetensors", state, {"gan.rate": "0.1"})
    back, made_of = state_file.read(tmp_path / "s.safetensors")
    assert same(state, back) and made_of == {"gan.rate": "0.1"}


def test_random_states_restored():
    generator, cpu = np.random.default_rng(3), torch.device("cpu")
    generator.integers(9, size=3, dtype=np.uint32)  # leaves half a word in the generator
    states = random_states(generator.bit_generator.state, cpu)
    first = generator.random(5).tolist(), torch.rand(5).tolist()
    other = np.random.default_rng(4)
    set_random_states(states, other, cpu)
    assert (other.random(5).tolist(), torch.rand(5).tolist()) == first
