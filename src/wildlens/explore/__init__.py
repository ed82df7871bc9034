"""A page to explore the maps: linked panels, values under the pointer, marked pixels."""
