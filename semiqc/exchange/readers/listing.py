"""From candidates to a listing: what cannot be used is refused, and the rest goes on."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from semiqc.images.raw import Entry, Listing, Refusal, UnusableError
from semiqc.schemes import LabelScheme

Candidate = TypeVar("Candidate")


def listing_of(
    candidates: Iterable[tuple[str, Candidate]],
    entry: Callable[[str, Candidate], Entry],
    scheme: LabelScheme,
    *,
    modalities: tuple[str, ...] = ("cine",),
    refusals: Sequence[Refusal] = (),
) -> Listing:
    """The candidates that can be studies, and for the others the reason why not.

    Args:
        candidates: Each with the name that a refusal gives it.
        entry: Makes a study to be read of a name and a candidate. It raises ``UnusableError``
            where there cannot be one, such as for a name without letters or a missing file.
        scheme: Of the studies' labels.
        modalities: Names of the modalities.
        refusals: What was left out already.
    """
    entries, left_out = [], list(refusals)
    for name, candidate in candidates:
        try:
            entries.append(entry(name, candidate))
        except UnusableError as error:
            left_out.append(Refusal(name, str(error)))
    return Listing(tuple(entries), scheme, modalities, tuple(left_out))
