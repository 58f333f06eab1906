"""From a search space and a corpus to cells and trials."""
