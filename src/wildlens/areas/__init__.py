"""Protected areas: read from files, cut to a scene, rasterised."""
