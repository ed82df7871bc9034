"""Zonal statistics of maps and land cover for each protected area and the ring around it."""
