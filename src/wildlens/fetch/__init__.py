"""Search of STAC catalogues, and download of the requested bands and area."""
