"""Fetch from a STAC API what one scene needs of a product."""
