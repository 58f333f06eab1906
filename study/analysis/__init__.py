"""Turn records into findings: counts, intervals, and what cannot be told. Needs neither torch nor Ray."""
