"""Run a study from its manifest to its report: execute, resume, dry run."""
