"""Dice of single slices (Fournel et al. 2021)."""
