"""The store: all studies of a data set in one HDF5 file."""
