"""Drive a study under Ray: a session on one machine or a cluster, one Tune experiment, records as the only state."""

from study.driver.session import RunOptions  # first: it sets Ray's environment before Ray is imported
from study.driver.tune_run import run_study

__all__ = ["RunOptions", "run_study"]
