"""Quality from the map of entropy (Jungo et al. 2020)."""
