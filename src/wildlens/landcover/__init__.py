"""From a land-cover product to classes on a scene's grid."""
