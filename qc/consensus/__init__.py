"""Several estimators asked, calibrated, weighted and blended."""
