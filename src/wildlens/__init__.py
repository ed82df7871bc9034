"""WildLens: what makes protected nature look natural in satellite imagery, learnt and mapped."""

__version__ = "0.1.0"
