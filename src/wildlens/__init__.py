"""WildLens: maps of the patterns that make protected nature look natural in satellite imagery."""

__version__ = "0.1.0"
