"""The page's script, as strings: the digest of a step's code sees Python modules only."""
