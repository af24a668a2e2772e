"""Readers: each lists the studies of a source, and reads one when it is asked to.

A layout is a module (such as ``acdc``, ``nnunet``, ``manifest``, ``plain_nifti``, ``pairs``) or
a folder (``dicom``). A module has ``recognises(source)``, which looks at names only, and
``find(source, scheme)``, which gives a ``Listing`` of studies that are not read yet. ``registry``
names the layouts, ``listing`` and ``nifti`` hold what several of them share.
"""

from semiqc.exchange.readers.registry import READERS, Reader, find, find_images

__all__ = ["READERS", "Reader", "find", "find_images"]
