"""Dice, surface Dice and error maps at once (Qiu et al. 2025)."""
