"""Print what to know about a corpus before a study."""

from collections.abc import Callable

from lvm_core import corpus_files
from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import baseline_names, measure_baseline
from lvm_core.corpus import EMBEDDED, Corpus, open_corpus
from lvm_core.dataset import FEW_QUERIES, Dataset
from lvm_core.ranks import chance_hit_at_k
from lvm_core.split import NEAR_COPY_COSINE, find_near_copies
from study.corpus.capacity import Capacity, capacities, dataset_for
from study.corpus.direction import BACKWARD, LAGS, REVERSED, SHUFFLED, Finding, measure_direction
from study.corpus.geometry import QUANTILES, length_quantiles, mean_cosines, norm_quantiles
from study.corpus.text_index import index_path

CONTEXT = 8  # for the baselines, if the corpus fills it
LABELS = {
    SHUFFLED: "contexts shuffled, in training too",
    REVERSED: "queried with contexts reversed",
    BACKWARD: "from the vectors after the target",
}
Say = Callable[[str], None]


def inspect_corpus(source: str, seed: int, say: Say) -> None:
    """Print sizes, geometry, capacity, near-copies, baselines and direction of a corpus."""
    corpus = open_corpus(source)
    _print_sizes(corpus, source, seed, say)
    _print_cosines(corpus, seed, say)
    capacity, limit = capacities(corpus, seed)
    _print_capacity(capacity, limit, say)
    if not capacity:
        return
    dataset = dataset_for(corpus, capacity, CONTEXT, seed)
    _print_near_copies(dataset, say)
    _print_baselines(dataset, say)
    _print_direction(dataset, seed, say)


def _print_sizes(corpus: Corpus, source: str, seed: int, say: Say) -> None:
    say(f"{corpus.name}: V {corpus.num_vectors:,} vectors, D {corpus.dim}, {corpus.num_chains:,} documents")
    quantiles = " / ".join(f"{value:,}" for value in length_quantiles(corpus))
    names = " / ".join(f"{value} %" for value in QUANTILES)
    say(f"document length in vectors at {names}: {quantiles}")
    if source != EMBEDDED:
        low, median, high = norm_quantiles(corpus_files.read(corpus_files.locate(source))[0], seed)
        say(f"vector norm in the file: min {low:.4f}, median {median:.4f}, max {high:.4f} (a study normalises it to 1)")
        path = index_path(source)
        say(f"text index: {path}" if path.is_file() else "text index: none")


def _print_cosines(corpus: Corpus, seed: int, say: Say) -> None:
    say("mean cosine to the chunk")
    for mean in mean_cosines(corpus, seed):
        value = "no such pair" if mean.value is None else f"{mean.value:.3f}"
        say(f"  {mean.name:23} {value}  ({mean.num_pairs:,} pairs)")


def _print_capacity(capacity: list[Capacity], limit: str | None, say: Say) -> None:
    say("capacity (C: context length, N: training sequences, queries: in each of validation and test)")
    for entry in capacity:
        few = "  (few: wide intervals)" if entry.num_queries < FEW_QUERIES else ""
        say(f"  C={entry.context_length:<5} N up to {entry.num_sequences:<9,} {entry.num_queries:,} queries{few}")
    if limit is not None:
        say(f"  a longer C is infeasible: {limit}")


def _print_near_copies(dataset: Dataset, say: Say) -> None:
    copies = find_near_copies(dataset.corpus, dataset.split)
    say(
        f"near-copies (cosine above {NEAR_COPY_COSINE}) of training vectors: {copies.num_validation:,} in validation, "
        f"{copies.num_test:,} in test; highest cosine {copies.max_cosine:.3f} ({copies.search})"
    )


def _print_baselines(dataset: Dataset, say: Say) -> None:
    pool, context = dataset.queries["test"].pool_size, dataset.config.max_context
    chance = chance_hit_at_k(5, pool)
    num_queries = len(dataset.queries["test"].positions)
    say(f"test Hit@5 without training, C={context}, {num_queries:,} queries, pool {pool:,} (chance {chance:.4f})")
    queries = dataset.queries["test"]
    mean = queries.num_own_document.mean()
    say(f"  {'right document':14} {queries.document_hit_at_5:.3f}  (in random order: {mean:,.1f} candidates are of it)")
    task = BaselineTask(dataset, context)
    for name in baseline_names(trains=False):
        result = measure_baseline(name, task)
        setting = ", ".join(f"{key} {value:g}" for key, value in result.setting.items())
        say(f"  {name:14} {result.test.hit_at(5):.3f}" + (f"  ({setting})" if setting else ""))


def _print_direction(dataset: Dataset, seed: int, say: Say) -> None:
    if dataset.config.max_context < LAGS:
        say(f"direction: not measured (needs contexts of at least {LAGS})")
        return
    measured = measure_direction(dataset, seed)
    if measured is None:
        say(f"direction: not measured (too few targets have {LAGS} vectors on both sides)")
        return
    findings, count = measured.findings, measured.num_queries
    say(f"direction: test Hit@5 of a ridge on {LAGS} vectors, {count:,} queries, pool {count:,}")
    say(f"  {'in order, before the target':40} {findings[0].hit_at_5:.3f}")
    for finding in findings[1:]:
        change = f"{finding.difference:+.3f} [{finding.low:+.3f}, {finding.high:+.3f}]"
        say(f"  {LABELS[finding.name]:40} {finding.hit_at_5:.3f}  {change}")
    say(f"  95 % intervals of the difference, over {measured.resampled}")
    say(f"  {verdict(findings)}")


def verdict(findings: list[Finding]) -> str:
    """State whether order and direction matter; an interval that contains 0 shows nothing."""
    by_name = {finding.name: finding for finding in findings}
    order, backward = by_name[SHUFFLED], by_name[BACKWARD]
    first = (
        "the order within a context helps" if order.high < 0 else "no benefit of the order within a context is shown"
    )
    second = "no difference between forward and backward is shown"
    if backward.high < 0:
        second = "forward is easier to predict than backward"
    elif backward.low > 0:
        second = "backward is easier to predict than forward"
    return f"{first}; {second}"
