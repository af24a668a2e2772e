"""Fitted estimators in a folder, with what they learned from."""
