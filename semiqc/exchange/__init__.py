"""Other programs' data: in and out."""
