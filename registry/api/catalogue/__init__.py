"""The catalogue of datasets, for anyone: what there is, whose, how good, how to apply; never a record."""
