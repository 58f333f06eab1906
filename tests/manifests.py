"""Manifests of made studies: what a reader needs, and what a test adds or changes."""

from dataclasses import replace
from typing import Any

from study.analysis.load import StudyRecords
from study.records.manifest import Manifest
from study.space.overlay import merge

PLAIN: dict[str, Any] = {
    "study": "made",
    "question": "?",
    "cells": [],
    "split": {"audit": {"num_leaked_vectors": 0}},
    "space": {
        "replicates": 3,
        "cells": {"context_length": [1], "num_sequences": [20]},
        "patience": {"replay": [3]},
        "racing": {"num_samples": 1},
    },
}


def manifest(**changes: Any) -> Manifest:
    """Return a manifest with changes laid over a plain one, mapping by mapping."""
    return Manifest.of(merge(PLAIN, changes), "a made manifest")


def changed(study: StudyRecords, /, **changes: Any) -> StudyRecords:
    """Return a study whose manifest has changes laid over it, mapping by mapping."""
    return replace(study, manifest=Manifest.of(merge(content(study), changes), "a made manifest"))


def content(study: StudyRecords) -> dict[str, Any]:
    """Return a study's manifest as JSON has it."""
    return study.manifest.model_dump(mode="json", exclude_unset=True)
