"""The networks and what is known of them without training: pure torch, no data files."""
