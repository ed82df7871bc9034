"""Mean seconds of a job of each rule, from which the share of a run that is done is computed.

Of the demo on two cores (mean of `results/benchmarks/*.tsv` by rule). On other land and machines
all are longer or shorter; only their ratios matter here.
"""

SECONDS = {
    "settings": 0.3,
    "method_settings": 0.3,
    "demo": 30,
    "scene": 5,
    "landcover": 4,
    "tiles": 5,
    "train_classifier": 100,
    "train_gan": 150,
    "map": 3,
    "attribute": 12,
    "evaluate": 15,
    "figures": 4,
    "qgis": 2,
    "catalogue": 3,
    "explore": 4,
    "area_statistics": 3,
    "summary": 2,
}
OTHER = 10.0


def cost(rule: str) -> float:
    """Seconds that a job of a rule takes in the demo; OTHER for a rule that is not in it."""
    return SECONDS.get(rule, OTHER)
