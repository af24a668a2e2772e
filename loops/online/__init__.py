"""Methods that learn from labelled and unlabelled slices in the same steps."""
