"""Give every method the right to be tuned: a small grid each, chosen on validation tiles.

    python -m benchmarks.method.tuning RUN OUTPUT

RUN is the folder of a finished run (FOLDER/runs/... of the Snakefile beside this). Each method of
GRIDS is applied to the validation tiles with all of its settings. Those with the highest pooled IoU
are applied to the test tiles, with the threshold of the validation tiles. OUTPUT (CSV) has one row
per method: its metrics with the run's own settings and with the chosen ones.

The generators have no grid here but the symmetries, because the settings of their training were
chosen on the same validation tiles, by the same metric.
"""

import argparse
import itertools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from wildlens.attribute.step import attribute_tiles
from wildlens.doctor.step import read_configuration
from wildlens.evaluate.metrics import choose_thresholds
from wildlens.evaluate.ranking import rank
from wildlens.evaluate.samples import build_sample, open_attributions, read_attribution
from wildlens.evaluate.target_groups import TARGETS, TargetGroup
from wildlens.evaluate.thresholds import iou
from wildlens.settings import Attribution

ROOT = Path(__file__).parents[2]
REFERENCE = "truth"
BASELINES = ("zero", "mean", "blurred")
SYMMETRIES = (1, 8)
Point = Mapping[str, int | str]  # values of attribution settings


def grid(**values: tuple) -> list[Point]:
    """All combinations of the values of these settings."""
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]


GRIDS: Mapping[str, list[Point]] = {
    "gan": grid(symmetries=SYMMETRIES),
    "minimizer": grid(symmetries=SYMMETRIES),
    "minimizer_contributions": grid(symmetries=SYMMETRIES),
    "minimizer_activation": grid(symmetries=SYMMETRIES),
    "deeplift": grid(baseline=BASELINES, symmetries=SYMMETRIES),
    "occlusion": grid(baseline=BASELINES, occlusion_window=(16, 32)),
    "gradcam": grid(gradcam_block=(0, 1, 2), symmetries=SYMMETRIES),
    "activation": grid(symmetries=SYMMETRIES),
}


def tune(run: Path, settings: Attribution, targets: list[int]) -> pd.DataFrame:
    """The table of a run; its methods that have no grid are left out.

    Args:
        run: folder with `results/tiles.zarr` and `results/models`.
        settings: of the run. targets: CORINE codes of the target group.
    """
    rows = []
    for method in (m for m in settings.methods if m in GRIDS):
        with tempfile.TemporaryDirectory() as scratch:
            trials = Trials(run / "results", method, settings, targets, Path(scratch))
            own = trials.validate({})
            found = [(trials.validate(point), point) for point in GRIDS[method]]
            (best, threshold), point = max(found, key=lambda item: item[0][0])
            rows.append(
                {"method": method, "settings": json.dumps(dict(point)), "points": len(found)}
                | {"validation_iou": own[0], "validation_iou_tuned": best}
                | trials.test({}, own[1])
                | {f"{n}_tuned": v for n, v in trials.test(point, threshold).items()}
            )
            print(f"{method}: {rows[-1]['settings']}, validation IoU {own[0]:.3f} to {best:.3f}")
    return pd.DataFrame(rows)


class Trials:
    """Results of one method with several settings."""

    def __init__(
        self, results: Path, method: str, settings: Attribution, targets: list[int], scratch: Path
    ):
        self.results, self.method, self.scratch = results, method, scratch
        self.settings = settings
        self.group = TargetGroup(REFERENCE, TARGETS, targets, float("nan"))

    def validate(self, point: Point) -> tuple[float, float]:
        """IoU at the best threshold of the validation tiles, and that threshold."""
        values, sample = self._attribute("val", point)
        (threshold,) = choose_thresholds([self.group], sample, values.__getitem__)
        return self._iou(values, sample, threshold), threshold

    def test(self, point: Point, threshold: float) -> dict[str, float]:
        """AUROC, average precision and IoU at this threshold, of the test tiles."""
        values, sample = self._attribute("test", point)
        known, target = self.group.masks(sample)
        ranking = rank(values[known], target[known])
        return {
            "auroc": ranking.auroc,
            "average_precision": ranking.average_precision,
            "iou": self._iou(values, sample, threshold),
        }

    def _iou(self, values: np.ndarray, sample, threshold: float) -> float:
        known, target = self.group.masks(sample)
        return iou((values >= np.float32(threshold)) & known, target)

    def _attribute(self, split: str, point: Point):
        """Attribution (tile, y, x) of the split's tiles, and their sample."""
        update = dict(point)
        if "occlusion_window" in update:
            update["occlusion_stride"] = update["occlusion_window"] // 2
        settings = Attribution.model_validate(self.settings.model_dump() | update)
        output = self.scratch / f"{split}-{len(list(self.scratch.iterdir()))}.zarr"
        tiles, models = self.results / "tiles.zarr", self.results / "models"
        attribute_tiles(
            tiles, self.method, models / "classifier.safetensors",
            models / "generators.safetensors", output, settings, "cpu", (split,),
        )  # fmt: skip
        stores = open_attributions([output])
        sample = build_sample(split, tiles, stores)
        return read_attribution(stores[self.method], sample.names), sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("output", type=Path, help="CSV file to write")
    arguments = parser.parse_args()
    overlay = arguments.run / "settings.yaml"
    settings = read_configuration([ROOT / "config.yaml", overlay])
    table = tune(arguments.run, settings.attribution, settings.evaluation.targets)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.output, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
