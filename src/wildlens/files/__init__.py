"""File formats: atomic writes, grids and GeoTIFFs, archives, tables, untrusted XML."""
