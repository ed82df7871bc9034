"""What exists by name: attribution methods, of this package and of others that are installed."""
