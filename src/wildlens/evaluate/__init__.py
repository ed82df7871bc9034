"""Compare attributions with land cover: metrics, controls, faithfulness."""
