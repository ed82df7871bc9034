"""Styles of maps, and one QGIS project of all of them."""
