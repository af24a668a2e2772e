"""Whose grid and intensities the studies of an export have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from semiqc.exchange.lineage import SOURCE_GRID, STORE_GRID, ExportCase
from semiqc.exchange.origin import Origins
from semiqc.images.raw import UnusableError
from semiqc.schemes import LabelScheme


@dataclass
class Grids:
    """Brings studies to the grid of their sources, where that is wanted and can be.

    Args:
        scheme: Of the labels.
        wanted: ``source`` or ``store``.

    Attributes:
        count: Studies that came by.
        misses: Why a study stayed on the grid of the store, by its name; nobody misses a source
            of phantoms.

    Raises:
        ValueError: If another grid is wanted.
    """

    scheme: LabelScheme
    wanted: str
    count: int = 0
    misses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.wanted not in (SOURCE_GRID, STORE_GRID):
            raise ValueError(f"grid must be {SOURCE_GRID} or {STORE_GRID}, got {self.wanted}")

    def on(self, cases: Iterable[ExportCase]) -> Iterator[ExportCase]:
        """The cases, one after the other, with their sources."""
        origins = Origins(self.scheme)
        for case in cases:
            self.count += 1
            yield self._sourced(case, origins) if self.wanted == SOURCE_GRID else case

    def _sourced(self, case: ExportCase, origins: Origins) -> ExportCase:
        try:
            return replace(case, raw=origins.read(case.study))
        except UnusableError as error:
            if not case.study.is_phantom:
                self.misses[case.study.name] = str(error)
            return case

    def told(self) -> str:
        """That some studies have the store's grid, in one line."""
        name, reason = next(iter(self.misses.items()))
        return (
            f"{len(self.misses)} of {self.count} studies have grid and intensities of the store,"
            f" not of their source, such as {name}: {reason}"
        )
