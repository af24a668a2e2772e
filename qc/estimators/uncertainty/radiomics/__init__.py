"""Radiomics features of a map in a region, as the IBSI defines them."""
