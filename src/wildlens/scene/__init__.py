"""From one product, or several of one date, to a scene: reflectance on one grid."""
