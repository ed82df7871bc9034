"""`compare`: the change between two dates of the same ground."""

from pydantic import Field, model_validator

from wildlens.settings.section import Section
from wildlens.settings.types import Name


class Compare(Section):
    """Change of the score and of all attributions between two mapped scenes of the same ground."""

    before: Name = Field(description="Name of the product of the first date, in inputs.mapping")
    after: Name = Field(description="Name of the product of the second date, in inputs.mapping")
    unchanged: list[tuple[Name, Name]] = Field(
        [],
        description="Pairs of products of inputs.training or inputs.mapping that show the same"
        " ground at two dates without change: they are mapped, and the noise is their difference;"
        " without any, the noise is that of the other ground of the two scenes",
    )

    @model_validator(mode="after")
    def _pairs_have_two_dates(self):
        if self.before == self.after:
            raise ValueError(f"`before` and `after` are both '{self.before}': name two products")
        for first, second in self.unchanged:
            if first == second:
                raise ValueError(f"unchanged: '{first}' is paired with itself: name two products")
            if {first, second} == {self.before, self.after}:
                raise ValueError(
                    f"unchanged: '{first}' and '{second}' are the pair that is compared, whose"
                    " change would count as noise: name another pair, or leave it out"
                )
        return self
