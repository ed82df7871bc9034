"""Attribute a whole scene, strip by strip, on its own grid."""
