"""Who says which segmentations are good."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from qc.verdicts import MIN_SHARE
from semiqc.work.sections import Section

Kind = Literal["simulated", "human"]


class ReaderSettings(Section):
    """Whose verdicts the curve classifier learns; ``human`` alone is short for its ``kind``."""

    kind: Kind = "simulated"
    """``simulated`` decides from the labelled frames. With ``human`` the run stops until a person
    has judged with ``semiqc review``; what they call erroneous never becomes a pseudo-label."""
    min_dice: Annotated[float, Field(ge=0, lt=1)] = 0.7
    """Erroneous to the simulated reader where the Dice of any structure is below."""
    max_ef_error: Annotated[float, Field(gt=0, le=100)] = 10.0
    """Likewise where an ejection fraction is off by more, in percentage points."""
    min_share: Annotated[float, Field(ge=0, le=0.5)] = MIN_SHARE
    """Share of the predictions that must be found good, and as many erroneous. Where the bounds
    give fewer they are widened or narrowed, for a classifier cannot learn from one kind; 0 keeps
    them."""

    @model_validator(mode="before")
    @classmethod
    def _named_alone(cls, given: Any) -> Any:  # noqa: ANN401
        return {"kind": given} if isinstance(given, str) and given in get_args(Kind) else given
