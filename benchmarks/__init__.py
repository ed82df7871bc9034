"""Speed and memory compared with other packages: `make benchmark` writes docs/performance.md."""
