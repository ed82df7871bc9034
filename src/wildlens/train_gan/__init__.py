"""Train the pattern-maximizer and the pattern-minimizer through the frozen classifier."""
