"""What estimators share that are networks."""
