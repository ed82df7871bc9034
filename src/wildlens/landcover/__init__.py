"""Land-cover products, resampled to the grid of a scene as CORINE classes."""
