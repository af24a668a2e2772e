"""Batches made while the one before is used."""

from collections.abc import Iterator
from contextlib import closing
from typing import TypeVar

Batch = TypeVar("Batch")


def ahead(batches: Iterator[Batch], depth: int = 4) -> Iterator[Batch]:
    """The same batches in the same order, made in a thread that is a few ahead.

    A failure of the thread is raised here. The thread ends with the batches, with a failure, or
    when whoever asks for batches stops.

    Args:
        batches: Taken by the thread alone.
        depth: Batches that wait, at most.
    """
    from monai.data.thread_buffer import ThreadBuffer

    with closing(iter(ThreadBuffer(_with_failure(batches), buffer_size=depth))) as buffered:
        for batch, failure in buffered:
            if failure is not None:
                raise failure
            yield batch


def _with_failure(
    batches: Iterator[Batch],
) -> Iterator[tuple[Batch | None, BaseException | None]]:
    """Each batch, and at the end what it failed with: the thread itself would keep it quiet."""
    try:
        for batch in batches:
            yield batch, None
    except GeneratorExit:
        raise
    except BaseException as error:
        yield None, error
