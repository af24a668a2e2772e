"""Search in a learned manifold of good segmentations (Wang et al. 2020)."""
