"""NIfTI: headers, files, frames."""
