"""ITK's own formats, MetaImage and NRRD, read as if they were NIfTI files."""

from semiqc.nifti.itk.reading import ENDINGS, is_itk, read_itk_header, read_itk_voxels

__all__ = ["ENDINGS", "is_itk", "read_itk_header", "read_itk_voxels"]
