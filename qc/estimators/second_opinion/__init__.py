"""Dice with what another segmenter makes of the same image."""
