"""The name of the default encoder, which --help shows without loading it."""

DEFAULT = "all-MiniLM-L6-v2"
