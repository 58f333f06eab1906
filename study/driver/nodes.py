"""Check, before the first trial, that every node of a cluster can run the study's trials."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lvm_core.errors import InputError
from study.driver.session import RunOptions
from study.host.code import code_fingerprint, shared_versions
from study.plan.plan import Plan

LIMIT_S = 600.0  # enough to fetch and convert a corpus; Ray notices a dead node sooner


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a node must have, as plain data, so that a node without this code can read it."""

    code_fingerprint: str
    versions: dict[str, str | None]
    corpus: str
    corpus_fingerprint: str
    store_uri: str


def check_nodes(plan: Plan, store_uri: str, options: RunOptions) -> None:
    """Refuse a cluster if a node with CPUs cannot run the study. Trials check nodes that join later.

    Raises: InputError that lists every problem of every node.
    """
    if options.address is None:
        return
    needs = Needs(
        code_fingerprint=code_fingerprint(),
        versions=shared_versions(),
        corpus=plan.corpus.path,
        corpus_fingerprint=plan.corpus.fingerprint,
        store_uri=store_uri,
    )
    found = problems_of_nodes(needs)
    if found:
        raise InputError(
            "every node must be able to run the study's trials, but the check before the first trial found: "
            + " ".join(f"[{node}] {problem}" for node, problems in found.items() for problem in problems)
        )


def problems_of_nodes(needs: Needs, limit_s: float = LIMIT_S) -> dict[str, list[str]]:
    """Return the problems of each node with CPUs, by its name; nodes that died meanwhile are left out."""
    probe = ray.remote(num_cpus=0, max_retries=0)(node_probe())
    nodes = _alive()
    answers = {
        node_id: probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            vars(needs)
        )
        for node_id in nodes
    }
    deadline, found = time.monotonic() + limit_s, {}
    for node_id, answer in answers.items():
        try:
            problems = ray.get(answer, timeout=max(0.0, deadline - time.monotonic()))
        except ray.exceptions.GetTimeoutError:
            problems = [f"it must answer within {limit_s:g} s, but did not. Fix it or remove it from the cluster."]
        except ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-300:]
            problems = [f"it must run a task, but did not: {reason} Fix it or remove it from the cluster."]
        if problems and node_id in _alive():
            found[nodes[node_id]] = problems
    return found


def _alive() -> dict[str, str]:
    """Return the names of the nodes that may run trials, by id."""
    return {
        node["NodeID"]: f"{node['NodeManagerHostname']}, {node['NodeManagerAddress']}"
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) > 0
    }


def node_probe() -> Callable[[dict], list[str]]:
    """Return the function that a node runs; it returns the node's problems, as sentences.

    It is a nested function so that Ray pickles it by value: the node's code may differ, or be missing.
    """

    def problems(needs: dict) -> list[str]:
        try:
            from lvm_core.errors import InputError
            from study.host.code import check_code, check_versions
            from study.records.store import RecordStore
            from study.trial.node import check_sees, open_same_corpus
        except ImportError as error:
            return [f"every node must have this project's code, but {error}. Install the same code on all nodes."]

        def writes() -> None:
            store = RecordStore.at(needs["store_uri"])
            check_sees(store)
            name = f".probe-{uuid.uuid4().hex[:8]}"
            store.write_bytes(name, b"probe")
            store.delete(name)

        found = []
        for check in (
            lambda: check_code(needs["code_fingerprint"]),
            lambda: check_versions(needs["versions"]),
            lambda: open_same_corpus(needs["corpus"], needs["corpus_fingerprint"]),
            writes,
        ):
            try:
                check()
            except InputError as error:
                found.append(str(error))
            except OSError as error:
                found.append(
                    f"every node must be able to read the corpus and write to the study's folder, but: {error}."
                )
        return found

    return problems
