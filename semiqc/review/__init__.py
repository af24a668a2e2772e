"""The review page: a person judges segmentations, and what they say goes back into a run."""
