"""A finished run, opened in Python: `wildlens.open_run`."""
