"""How fast WildLens is beside others: `make benchmark` writes docs/performance.md."""
