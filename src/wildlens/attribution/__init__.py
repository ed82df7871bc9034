"""What attribution methods share: registry, contributions, baselines, symmetries."""
