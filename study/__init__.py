"""Plan, run, record and read studies of how retrieval scales with context and data."""
