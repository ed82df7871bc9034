"""Networks, and their properties that do not depend on training: pure torch, no data files."""
