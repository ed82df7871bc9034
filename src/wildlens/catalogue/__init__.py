"""Describe all rasters and models as a static STAC catalogue."""
