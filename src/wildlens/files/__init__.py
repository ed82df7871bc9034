"""Files: atomic writes, GeoTIFFs and grids, archives, tables, XML that may be hostile."""
