"""One trial: its run on a worker, its updates, its row, its record."""
