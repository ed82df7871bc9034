"""What attribution methods share: how they are found and made, contributions, baselines, symmetries."""
