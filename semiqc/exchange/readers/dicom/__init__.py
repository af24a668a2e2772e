"""The layout of DICOM series, and the contours that the Sunnybrook data has beside them."""

from semiqc.exchange.readers.dicom.reader import find, recognises

__all__ = ["find", "recognises"]
