"""One file per attribution method."""
