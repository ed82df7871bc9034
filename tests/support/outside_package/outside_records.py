"""The records of this package; imports no torch, since the workflow reads them when it plans."""

from wildlens.registry.record import ClassifierRecord, MethodRecord

TWO_LAYERS = ClassifierRecord(
    name="two_layers",
    title="two convolutions and a mean",
    factory="outside_networks:TwoLayers",
)

BAND_GRADIENT = MethodRecord(
    name="band_gradient",
    title="Band gradient",
    factory="outside_method:create",
    role="rival",
    unit="logit per unit of reflectance",
    sign="high where more reflectance raises the score; negative where it lowers it",
    signed=True,
    context="tile",
    randomisable=True,
)
