"""Turn documents into a corpus of vectors, inspect it, convert it: `python -m study.corpus`."""
