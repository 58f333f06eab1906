"""Turn a search space and a corpus into cells and trials."""
