"""Check before a run what would stop it, and say what to fix."""
