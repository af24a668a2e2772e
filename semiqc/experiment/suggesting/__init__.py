"""Which unlabelled studies of a finished run to label next."""
