"""How far apart surfaces may lie that count as the same."""

NSD_TOLERANCE_MM = 2.0
"""Distance that the normalised surface Dice tolerates, where nothing else is asked for."""
