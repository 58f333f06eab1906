"""How the study was measured: protocol, data, audit, seeds, versions, hardware, cost, and the command."""

from collections.abc import Mapping

from study.analysis.load import StudyRecords
from study.records.manifest import Manifest, RecordedCorpus, RecordedHardware, RecordedNearCopies, RecordedSplit
from study.report.finding import Facts, Finding
from study.report.findings import register
from study.report.findings.candidates import candidate_rule

MISSING = "not recorded"


def method(study: StudyRecords) -> dict[str, str]:
    """Return the facts by name, in the order of a reader's questions."""
    manifest, split = study.manifest, study.manifest.split
    facts = {
        "protocol": manifest.protocol or MISSING,
        "corpus": _corpus(manifest.corpus),
        "split": _split(split),
        "leak audit": _audits(manifest.all_splits),
        "near-copies": _near_copies(split.near_copies),
        "removed by quality gates": _counts(split.removed),
        "queries and pool": _queries(manifest.all_splits),
        "candidates": _candidates(manifest.all_splits),
        "seed": MISSING if manifest.seed is None else str(manifest.seed),
        "replicates": str(manifest.space.replicates),
        "code": manifest.code_version or MISSING,
        "older records": _older(study.missing_columns),
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()) or MISSING,
        "hardware": _hardware(manifest.hardware, manifest),
        "cost": f"{_number(manifest.wall_s)} s of wall time, {_number(manifest.cpu_s)} s of CPU",
        "runs": "; ".join(f"{run.started_at} to {run.finished_at or '-'}: {run.ended}" for run in manifest.runs),
        "warnings": "; ".join(manifest.warnings) or "none",
        "command": manifest.command or MISSING,
    }
    return {name: value for name, value in facts.items() if value}


def _corpus(corpus: RecordedCorpus | None) -> str:
    if corpus is None:
        return MISSING
    return (
        f"{corpus.name}, {corpus.num_vectors:,} vectors of {corpus.dim} dims, {corpus.num_chains:,} documents, "
        f"fingerprint {corpus.fingerprint}"
    )


def _split(split: RecordedSplit) -> str:
    by = "document" if split.kind in ("", "chain") else split.kind
    return f"by {by}, {_counts(split.num_chains)}, fingerprint {split.fingerprint or MISSING}"


def _audits(splits: list[RecordedSplit]) -> str:
    """Return what every split's audit found; a study of variants has several splits."""
    found = [
        f"{split.audit.num_leaked_vectors:,} held-out vectors in training windows"
        + (f" ({split.protocol}, C up to {split.max_context})" if len(splits) > 1 else "")
        for split in splits if split.audit is not None
    ]  # fmt: skip
    return "; ".join(found) or MISSING


def _near_copies(found: RecordedNearCopies | None) -> str:
    if found is None or None in (found.num_validation, found.num_test, found.threshold):
        return (found and found.search) or "not counted"
    counts = f"{found.num_validation:,} validation and {found.num_test:,} test vectors"
    return f"{counts} with cosine above {found.threshold} to training"


def _candidates(splits: list[RecordedSplit]) -> str:
    """Return which candidates a query has, in words; those of every rule that the study's splits follow."""
    return "; ".join(dict.fromkeys(candidate_rule(split.candidates) for split in splits))


def _queries(splits: list[RecordedSplit]) -> str:
    pairs = sorted({(split.num_queries, split.pool_size) for split in splits}, reverse=True)
    if len(pairs) == 1:
        return f"{pairs[0][0]:,} and {pairs[0][1]:,}, equal in every cell"
    return ", ".join(f"{queries:,} and {pool:,}" for queries, pool in pairs) + ": not equal in every cell"


def _older(missing: Mapping[str, int]) -> str:
    """Return which columns older records lack, empty where all records have them all."""
    return "; ".join(f"{count:,} records lack {name} (null)" for name, count in missing.items())


def _counts(found: Mapping[str, int | None]) -> str:
    return ", ".join(
        f"{name.replace('chains', 'documents').replace('_', ' ')} {value:,}"
        for name, value in found.items()
        if value is not None
    )


def _hardware(found: RecordedHardware, manifest: Manifest) -> str:
    facts = [
        found.processor,
        None if found.num_cpus is None else f"{found.num_cpus} cores",
        None if found.memory_bytes is None else f"{found.memory_bytes / 2**30:.0f} GiB",
        found.system,
        f"{manifest.device or '?'}, {manifest.precision or '?'}",
    ]
    return ", ".join(fact for fact in facts if fact)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


FINDING = register(
    Finding(
        key="method",
        title="How it was measured",
        after="trials",
        blocks=lambda evidence, _: [Facts(list(method(evidence.study).items()))],
    )
)
