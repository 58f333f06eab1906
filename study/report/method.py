"""Say how a study was measured: protocol, data, audit, seeds, versions, hardware, cost, and the command."""

from study.analysis.load import StudyRecords

MISSING = "not recorded"


def method(study: StudyRecords) -> dict[str, str]:
    """Return the facts by name, in the order of a reader's questions."""
    manifest = study.manifest
    corpus, split = manifest.get("corpus", {}), manifest.get("split", {})
    facts = {
        "protocol": str(manifest.get("protocol", MISSING)),
        "corpus": _corpus(corpus),
        "split": _split(split),
        "leak audit": _audits(manifest),
        "near-copies": _near_copies(split.get("near_copies")),
        "removed by quality gates": _counts(split.get("removed")),
        "queries and pool": _queries(manifest),
        "seed": str(manifest.get("seed", MISSING)),
        "replicates": str(manifest["space"].get("replicates", MISSING)),
        "code": str(manifest.get("code_version", MISSING)),
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items()) or MISSING,
        "hardware": _hardware(manifest),
        "cost": f"{_number(manifest.get('wall_s'))} s of wall time, {_number(manifest.get('cpu_s'))} s of CPU",
        "runs": "; ".join(
            f"{run.get('started_at')} to {run.get('finished_at', '-')}: {run.get('ended')}"
            for run in manifest.get("runs", [])
        ),
        "warnings": "; ".join(manifest.get("warnings", [])) or "none",
        "command": str(manifest.get("command", MISSING)),
    }
    return {name: value for name, value in facts.items() if value}


def _corpus(corpus: dict) -> str:
    if not corpus:
        return MISSING
    return (
        f"{corpus['name']}, {corpus['num_vectors']:,} vectors of {corpus['dim']} dims, {corpus['num_chains']:,} "
        "chains, "
        f"fingerprint {corpus['fingerprint']}"
    )


def _split(split: dict) -> str:
    fingerprint = split.get("fingerprint", MISSING)
    return f"by {split.get('kind', 'chain')}, {_counts(split.get('num_chains'))}, fingerprint {fingerprint}"


def _audits(manifest: dict) -> str:
    """Return what every split's audit saw; a study of variants has several splits."""
    splits = manifest.get("splits") or [manifest.get("split", {})]
    found = [
        f"{split['audit']['num_leaked_vectors']:,} held-out vectors in training windows"
        + (f" ({split.get('protocol')}, C up to {split.get('max_context')})" if len(splits) > 1 else "")
        for split in splits if "audit" in split
    ]  # fmt: skip
    return "; ".join(found) or MISSING


def _near_copies(found) -> str:
    if not isinstance(found, dict):
        return "not counted"
    if not {"num_validation", "num_test", "threshold"} <= set(found):
        return str(found.get("search", "not counted"))
    counts = f"{found['num_validation']} validation and {found['num_test']} test vectors"
    return f"{counts} with cosine above {found['threshold']} to training"


def _queries(manifest: dict) -> str:
    splits = manifest.get("splits") or [manifest.get("split", {})]
    pairs = sorted({(split.get("num_queries", 0), split.get("pool_size", 0)) for split in splits}, reverse=True)
    if len(pairs) == 1:
        return f"{pairs[0][0]:,} and {pairs[0][1]:,}, equal in every cell"
    return ", ".join(f"{queries:,} and {pool:,}" for queries, pool in pairs) + ": not equal in every cell"


def _counts(found: dict | None) -> str:
    if not found:
        return ""
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in found.items() if value is not None)


def _hardware(manifest: dict) -> str:
    found = manifest.get("hardware", {})
    parts = [found.get("processor"), f"{found['num_cpus']} cores" if "num_cpus" in found else None]
    parts += [f"{found['memory_bytes'] / 2**30:.0f} GiB" if "memory_bytes" in found else None, found.get("system")]
    return ", ".join(
        [*(part for part in parts if part), f"{manifest.get('device', '?')}, {manifest.get('precision', '?')}"]
    )


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
