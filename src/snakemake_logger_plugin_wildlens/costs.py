"""Mean seconds of a job of each rule, from which the share of a run that is done is computed.

Of the demo on two shared cores (mean of `results/benchmarks/*.tsv` by rule, rounded); a job of a
member counts as one of a single training. On other land and machines all are longer or shorter;
only their ratios matter here.
"""

SECONDS = {
    "settings": 0.3,
    "method_settings": 0.3,
    "member_settings": 0.3,
    "demo": 115,
    "scene": 13,
    "landcover": 4,
    "tiles": 10,
    "train_classifier": 120,
    "train_gan": 245,
    "map": 8,
    "attribute": 10,
    "evaluate": 130,
    "confidence": 30,
    "figures": 20,
    "qgis": 5,
    "catalogue": 5,
    "explore": 8,
    "area_statistics": 5,
    "summary": 5,
}
OTHER = 10.0
OF_MEMBER = "_member"  # suffix of rules


def cost(rule: str) -> float:
    """Seconds that a job of a rule takes in the demo; OTHER for a rule that is not in it."""
    return SECONDS.get(rule.removesuffix(OF_MEMBER), OTHER)
