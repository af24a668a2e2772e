"""Batches made while the one before is used."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

Batch = TypeVar("Batch")


def ahead(batches: Iterator[Batch], depth: int = 4) -> Iterator[Batch]:
    """The same batches, made in a thread that is a few ahead; its failure is raised here."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def give(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for batch in batches:
                give(batch)
                if stopped.is_set():
                    return
            give(None)
        except BaseException as error:
            give(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
