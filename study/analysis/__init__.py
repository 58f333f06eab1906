"""Turn records into findings: counts, intervals, and reasons where there is no answer. Needs neither torch nor Ray."""
