"""Readers: one file a layout, each listing the studies of a source without reading them."""

from semiqc.exchange.readers.layouts import READERS, Reader, find, find_images

__all__ = ["READERS", "Reader", "find", "find_images"]
