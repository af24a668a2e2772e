"""Dice of each structure by a convolutional network (Robinson et al. 2018)."""
