"""Attribute the validation and test tiles."""
