"""Reverse classification accuracy (Valindria et al. 2017; Robinson et al. 2019)."""
