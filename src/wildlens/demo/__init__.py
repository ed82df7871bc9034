"""Simulate a region: Sentinel-2 products, CORINE land cover, protected areas."""
