"""Verdicts from volume and area curves (Ruijsink et al. 2020)."""
