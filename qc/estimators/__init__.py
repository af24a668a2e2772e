"""Quality estimators, a file or a folder each."""
