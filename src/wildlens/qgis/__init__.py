"""QGIS project of all results, and styles of maps."""
