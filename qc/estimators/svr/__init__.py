"""Dice by support vector regression on features (Albà et al. 2018)."""
