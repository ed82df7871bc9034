"""What attribution methods share: interface, models, contributions, baselines, symmetries."""
