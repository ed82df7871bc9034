"""The training set: tiles of scenes with labels and a spatial split."""
