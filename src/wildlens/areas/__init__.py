"""Protected areas: read from files, clipped to a scene, rasterised."""
