"""Projects: a folder with a configuration and results of its own, outside the repository."""
