"""A stand-in for the command `wildlens`: parses with its parser, computes nothing, writes stubs.

So the workflow is tested in seconds: a rule whose command line `wildlens` would refuse fails here,
too, and so does one that runs before its inputs are there.
"""

from pathlib import Path

import yaml

from wildlens.cli import cli

TABLES = {
    "evaluate": [
        *(f"{name}.csv" for name in ("methods", "rules", "groups", "tiles", "differences")),
        *(f"{name}.csv" for name in ("classes", "faithfulness", "completeness", "scores")),
        *("scenes.csv", "texture.csv", "examples.npz", "warnings.txt", "provenance.json"),
    ],
    "confidence": [
        *(f"{name}.csv" for name in ("tiles", "calibration", "reliability", "filtered")),
        *("filtered_classes.csv", "classes.csv", "warnings.txt", "provenance.json"),
    ],
    "figures": [
        f"{name}.{suffix}"
        for suffix in ("png", "pdf")
        for name in (
            *("tiles", "training", "examples", "overlays", "map", "methods", "classes"),
            *("reliability", "filtered"),
        )
    ],
    "catalogue": ["catalog.json"],
    "train-classifier": [
        "training.csv",
        "accuracy.csv",
        "confusion.csv",
        "baselines.csv",
        "evidence.csv",
        "warnings.txt",
    ],
    "train-gan": ["training.csv", "warnings.txt"],
}


def write(path: Path, text: str) -> None:
    """A stub that says how it was made; zarr stores and products are folders."""
    if path.suffix in (".zarr", ".SAFE"):
        path = path / "stub"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pretend(name: str):
    """What stands in for the command `name`."""

    def make(output: Path | None = None, metrics=None, footprints=None, **values) -> None:
        if output is None:  # only says something
            return
        text = yaml.safe_dump({key: str(value) for key, value in values.items()})
        tables = metrics if name.startswith("train-") else output
        names = TABLES.get(name, [])
        if name == "figures" and values.get("tiles") is None:  # of mapped scenes only
            names = ["map.png", "map.pdf"]
        if name == "confidence" and any(
            "members" in yaml.safe_load((path / "stub").read_text())
            for path in values["attributions"]
        ):
            names = [*names, "disagreement.csv"]
        if name == "figures" and values.get("areas"):
            names = [*names, "areas.png", "areas.pdf"]
        for table in names:
            write(tables / table, text)
        if name == "demo":
            for product in demo_files():
                write(Path(product), text)
        if name == "compare":
            for path in {path.name: path for path in values["maps"]}.values():
                write(output / path.name, text)
                write(output / f"{path.stem}.qml", text)
            if values["areas"]:
                write(output / "areas.csv", text)
        if name not in ("demo", "evaluate", "confidence", "figures", "catalogue", "compare"):
            write(output, text)
        if name == "landcover":
            write(Path(f"{output}.aux.xml"), text)
        if name in ("scene", "map", "join", "combine-maps") and not values.get("part"):
            write(output.with_suffix(".qml"), text)
        if name == "qgis":
            for style in ("areas.qml", "tiles.qml"):
                write(output.with_name(style), text)
            for path in values["maps"]:
                if yaml.safe_load(path.read_text()).get("thresholds", "None") != "None":
                    write(path.with_name(f"{path.stem}_agreement.vrt"), text)
            return
        if footprints and name in ("tiles", "anthroprotect"):
            write(footprints, text)
        for further in ("sites", "classes", "geopackage"):
            if values.get(further):
                write(values[further], text)
        if name == "combine-attributions":
            write(values["thresholds"], text)

    return make


def demo_files() -> list[str]:
    """The files of the demo that the embedded default names, and its second date."""
    root = Path(__file__).parents[2]
    inputs, two_dates = (
        yaml.safe_load((root / name).read_text(encoding="utf-8"))["inputs"]
        for name in ("config.yaml", "workflow/configs/two-dates.yaml")
    )
    products = inputs["training"] + two_dates["mapping"]
    return [
        inputs["landcover"],
        inputs["areas"],
        *(p[key] for p in products for key in ("product", "truth")),
    ]


if __name__ == "__main__":
    for name, command in cli.commands.items():
        command.callback = pretend(name)
    cli()
