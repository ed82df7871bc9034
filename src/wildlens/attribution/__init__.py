"""Shared parts of attribution methods: interface, models, contributions, baselines, symmetries."""
