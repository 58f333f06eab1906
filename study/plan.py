"""Plan a study: which cells the corpus can fill, on which shared data, and the trials of every stage."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lvm_core.baselines import ORACLE, TRAINED, TRAINING_FREE
from lvm_core.batches import max_num_negatives
from lvm_core.corpus import Corpus
from lvm_core.dataset import FEW_QUERIES, MIN_QUERIES, DataConfig, Dataset, build_dataset
from lvm_core.devices import resolve_device, resolve_precision
from lvm_core.errors import InputError
from lvm_core.version import trainer_version
from study.space import Space
from study.spec import TrialSpec

SEARCH_REPLICATE = 0  # the search has a draw of its own; confirm replicates are 1, 2, …


@dataclass(frozen=True)
class Group:
    """A cell, with one value of each arm: what is searched, raced and confirmed by itself."""

    context_length: int
    num_sequences: int
    arm: tuple[tuple[str, Any], ...] = ()

    @property
    def cell_id(self) -> str:
        return "_".join([f"C{self.context_length}_N{self.num_sequences}", *(f"{k}{v}" for k, v in self.arm)])


@dataclass(frozen=True)
class Infeasible:
    """A cell that the corpus cannot fill. `num_vectors_needed` is None where no number of them would do."""

    context_length: int
    num_sequences: int
    reason: str
    num_vectors_needed: int | None


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is settled before a trial runs."""

    study: str
    space: Space
    corpus: Corpus
    dataset: Dataset
    groups: tuple[Group, ...]
    infeasible: tuple[Infeasible, ...]
    device: str
    precision: str

    @property
    def searches(self) -> bool:
        """Whether there is anything to search."""
        return bool(self.space.search)

    @cached_property
    def split_fingerprint(self) -> str:
        return self.dataset.fingerprint

    def spec(self, group: Group, stage: str, replicate: int, params: dict[str, Any]) -> TrialSpec:
        """Return a trial of a trained model."""
        recipe = self.space.recipe({**dict(group.arm), **params})
        values = {**recipe.model_dump(), "device": self.device, "precision": self.precision}
        return self._spec(stage, group.cell_id, group.context_length, group.num_sequences, replicate, values)

    def baseline_jobs(self) -> list[list[TrialSpec]]:
        """Return the baselines as jobs, costliest first: the training-free ones of a context, then each cell's."""
        free = TRAINING_FREE + ((ORACLE,) if self.dataset.oracle else ())
        sizes = {(group.context_length, group.num_sequences) for group in self.groups}
        trained = [
            [
                self._spec("baseline", f"C{context}_N{size}", context, size, replicate, {"model": name})
                for replicate in self.confirm_replicates
                for name in TRAINED
            ]
            for context, size in sorted(sizes, reverse=True)
        ]
        contexts = sorted({context for context, _ in sizes}, reverse=True)
        return trained + [
            [self._spec("baseline", f"C{context}", context, None, None, {"model": name}) for name in free]
            for context in contexts
        ]

    @property
    def confirm_replicates(self) -> range:
        return range(SEARCH_REPLICATE + 1, SEARCH_REPLICATE + 1 + self.space.replicates)

    def _spec(
        self, stage: str, cell_id: str, context: int, size: int | None, replicate: int | None, values: dict[str, Any]
    ) -> TrialSpec:
        return TrialSpec(
            study=self.study,
            stage=stage,
            protocol=self.space.protocol,
            cell_id=cell_id,
            context_length=context,
            num_sequences=size,
            replicate=replicate,
            seed=self.space.seed,
            recipe=values,
            patience=None if stage == "baseline" else self.space.patience.longest,
            corpus=self.corpus.path,
            corpus_name=self.corpus.name,
            corpus_fingerprint=self.corpus.fingerprint,
            data=asdict(self.dataset.config),
            split_fingerprint=self.split_fingerprint,
            trainer_version=trainer_version(),
        )

    def warnings(self) -> list[str]:
        """Return what a reader of the map must know before trusting it."""
        found = []
        num_queries, asked = len(self.dataset.queries["test"].positions), self.space.data.num_queries
        if num_queries < FEW_QUERIES:
            width = 2 * 1.96 * math.sqrt(0.25 / num_queries)
            found.append(f"only {num_queries} queries: a 95 % interval of Hit@5 is up to {100 * width:.0f} points wide")
        elif num_queries < asked:
            found.append(f"{num_queries} queries, not {asked}: no more have {self.max_context} vectors before them")
        for cell in self.infeasible:
            found.append(f"infeasible: C={cell.context_length} N={cell.num_sequences}: {cell.reason}")
        return found

    @property
    def max_context(self) -> int:
        return self.dataset.config.max_context


def make_plan(study: str, space: Space, corpus: Corpus) -> Plan:
    """Settle the longest context that the corpus serves, the shared data, and the cells that it fills.

    Raises: InputError where the corpus fills no cell, or the negatives asked for cannot be had.
    """
    dataset, refusals = _longest_feasible(space, corpus)
    groups, infeasible = [], []
    arms = _arm_values(space)
    for context in space.cells.context_length:
        for size in space.cells.num_sequences:
            problem = refusals.get(context) or _too_few_targets(dataset, size)
            if problem:
                infeasible.append(Infeasible(context, size, problem[0], problem[1](size)))
            else:
                groups.extend(Group(context, size, arm) for arm in arms)
    _check_negatives(space, min(group.num_sequences for group in groups))
    device = resolve_device(space.recipe({}).device)
    return Plan(
        study=study,
        space=space,
        corpus=corpus,
        dataset=dataset,
        groups=tuple(groups),
        infeasible=tuple(infeasible),
        device=device,
        precision=resolve_precision(space.recipe({}).precision, device),
    )


def _longest_feasible(space: Space, corpus: Corpus) -> tuple[Dataset, dict]:
    """Return the data of the longest context that any cell can use, and why longer ones cannot be."""
    refusals = {}
    smallest = min(space.cells.num_sequences)
    for context in reversed(space.cells.context_length):
        config = DataConfig(seed=space.seed, max_context=context, **space.data.model_dump())
        try:
            dataset = build_dataset(corpus, config)
        except InputError as error:
            if context == min(space.cells.context_length):
                raise
            refusals[context] = (str(error), _vectors_for(corpus, space, context))
            continue
        if len(dataset.train_positions) >= smallest:
            return dataset, refusals
        reason, needed = _too_few_targets(dataset, smallest)
        refusals[context] = (reason, needed)
    raise InputError(
        f"the corpus must fill at least one cell, but {corpus.name} has {len(dataset.train_positions)} training "
        f"targets with {context} vectors before them and the smallest num_sequences is {smallest}. Lower "
        "cells.num_sequences or cells.context_length, or give a larger corpus."
    )


def _too_few_targets(dataset: Dataset, num_sequences: int):
    """Return (reason, vectors needed for N) where the training part has too few targets, else None."""
    available, corpus = len(dataset.train_positions), dataset.corpus
    if available >= num_sequences:
        return None
    context = dataset.config.max_context
    reason = f"{available} training targets have {context} vectors before them, {num_sequences} are asked for"

    def needed(size: int) -> int | None:
        return math.ceil(corpus.num_vectors * size / available) if available else None

    return reason, needed


def _vectors_for(corpus: Corpus, space: Space, context: int):
    """Estimate the vectors that a corpus of such chains needs for N training targets and the fewest queries."""
    lengths = np.diff(corpus.chain_starts)
    usable = np.clip(lengths - context, 0, None).sum() / corpus.num_vectors  # targets a vector
    train, validation, test = space.data.fractions

    def needed(size: int) -> int | None:
        if not usable:
            return None
        return math.ceil(max(size / train, MIN_QUERIES / min(validation, test)) / usable)

    return needed


def _arm_values(space: Space) -> list[tuple[tuple[str, Any], ...]]:
    """Return every combination of the arms' values; one empty one where there is no arm."""
    combined: list[tuple[tuple[str, Any], ...]] = [()]
    for key, values in space.arms.items():
        combined = [(*arm, (key, value)) for arm in combined for value in values]
    return combined


def _check_negatives(space: Space, smallest: int) -> None:
    """Refuse a number of negatives that some batch of the smallest cell would not have."""
    recipe = space.recipe({})
    most = max_num_negatives(recipe.batch_size, smallest)
    if recipe.num_negatives > most:
        raise InputError(
            f"num_negatives <= batch_size - ceil(batch_size / smallest num_sequences) - 1 = {most} must hold, so "
            f"that every cell has the same number, but got {recipe.num_negatives} (batch_size {recipe.batch_size}, "
            f"num_sequences {smallest}). Lower fixed.num_negatives or raise fixed.batch_size."
        )
