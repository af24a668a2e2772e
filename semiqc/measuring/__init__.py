"""What is measured of segmentations, and how sure one can be of it."""
