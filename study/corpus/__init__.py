"""Turn documents into a corpus of vectors, and tell what a corpus can carry: `python -m study.corpus`."""
