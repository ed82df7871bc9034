"""Does the method work? Complete runs of the demo, and tables of how they spread."""
