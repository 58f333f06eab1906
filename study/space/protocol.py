"""The values that each protocol merges over a study's file. Source: section 3 of the design notes."""

from typing import Any, Literal, get_args

Protocol = Literal["controlled", "as_reported"]
CONTROLLED, AS_REPORTED = get_args(Protocol)

PROTOCOLS: dict[str, dict[str, Any]] = {
    CONTROLLED: {},  # the defaults of every key
    AS_REPORTED: {
        "data": {
            "split": "window",
            "boundary": "stream",
            "overlap": "half",
            "shared_queries": False,
            "num_queries": "all",
            "exclude_context": False,
        },
        "fixed": {"epochs": 50, "negatives_from": "micro_batch", "batch_size": 256},
        "patience": {"replay": [3]},
    },
}
