"""Rules of shape and course (after Bai et al. 2018)."""
