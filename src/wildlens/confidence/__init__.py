"""Confidence of the classifier, its calibration, and whether maps are worse where it is low."""
