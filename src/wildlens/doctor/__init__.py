"""Checks for problems before a run."""
