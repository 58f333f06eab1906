"""Find the cells that a corpus can fill, on shared or separate data, and what the others would need."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lvm_core.batches import max_num_negatives
from lvm_core.corpus import Corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import MIN_QUERIES, Dataset, build_dataset
from lvm_core.errors import InputError
from study.space.space import Space
from study.space.variants import Setting


@dataclass(frozen=True)
class Cell:
    """A cell, with one value of each arm, in one variant and row; searched, raced and confirmed separately."""

    context_length: int
    num_sequences: int
    arm: tuple[tuple[str, Any], ...] = ()
    variant: str | None = None
    row: str | None = None

    @property
    def cell_id(self) -> str:
        names = [name for name in (self.row, self.variant) if name]
        return "_".join([f"C{self.context_length}_N{self.num_sequences}", *(f"{k}{v}" for k, v in self.arm), *names])


@dataclass(frozen=True)
class Infeasible:
    """A cell that the corpus cannot fill. num_vectors_needed: None if unknown, or if no number would be enough."""

    context_length: int
    num_sequences: int
    reason: str
    num_vectors_needed: int | None
    variant: str | None = None
    row: str | None = None

    @property
    def cell(self) -> Cell:
        return Cell(self.context_length, self.num_sequences, (), self.variant, self.row)


@dataclass(frozen=True, eq=False)
class PlannedSetting:
    """A setting of the study: its space, and its data by feasible context length."""

    space: Space
    datasets: dict[int, Dataset]


def fill_settings(settings: list[Setting], corpus: Corpus) -> tuple[dict, list[Cell], list[Infeasible]]:
    """Return the planned settings by (variant, row), the feasible cells, and the infeasible ones.

    All settings with shared queries use the same C_max, their longest context.
    """
    shared = [setting.space for setting in settings if setting.space.data.shared_queries]
    contexts = sorted({context for space in shared for context in space.cells.context_length})
    smallest = min((min(space.cells.num_sequences) for space in shared), default=0)
    built: dict[DataConfig, Any] = {}
    planned, cells, infeasible = {}, [], []
    for setting in settings:
        try:
            datasets, refusals = _data_of(setting.space, corpus, contexts, smallest, built)
        except InputError as error:
            if len(settings) == 1:
                raise
            datasets, refusals = {}, dict.fromkeys(setting.space.cells.context_length, (str(error), _unknown_need))
        planned[setting.variant, setting.row] = PlannedSetting(setting.space, datasets)
        filled, missing = _fill(setting, datasets, refusals)
        cells += filled
        infeasible += missing
    if not cells:
        raise InputError(f"the corpus must fill at least one cell, but {corpus.name}: {infeasible[0].reason}")
    return planned, cells, infeasible


def _data_of(space: Space, corpus: Corpus, contexts: list[int], smallest: int, built: dict) -> tuple[dict, dict]:
    """Return the data by feasible context, and the refusals of the others."""
    if space.data.shared_queries:
        key = (data_config(space, max(contexts)), smallest)
        if key not in built:
            built[key] = _longest_feasible(space, corpus, contexts, smallest)
        dataset, refusals = built[key]
        return {context: dataset for context in space.cells.context_length if context not in refusals}, refusals
    datasets, refusals = {}, {}
    for context in space.cells.context_length:
        try:
            datasets[context] = build_dataset(corpus, data_config(space, context))
        except InputError as error:
            refusals[context] = (str(error), _unknown_need)
    if not datasets:
        raise InputError(next(iter(refusals.values()))[0])
    return datasets, refusals


def _fill(setting: Setting, datasets: dict[int, Dataset], refusals: dict) -> tuple[list[Cell], list[Infeasible]]:
    space, cells, infeasible = setting.space, [], []
    for context in space.cells.context_length:
        for size in space.cells.num_sequences:
            problem = refusals.get(context) or _too_few_targets(datasets[context], size)
            names = (setting.variant, setting.row)
            if problem:
                infeasible.append(Infeasible(context, size, problem[0], problem[1](size), *names))
            else:
                cells += [Cell(context, size, arm, *names) for arm in _arm_values(space)]
    if cells:
        _check_negatives(space, min(cell.num_sequences for cell in cells))
    return cells, infeasible


def data_config(space: Space, max_context: int) -> DataConfig:
    """Return a setting's data options as the trainer's config."""
    values = space.data.model_dump(exclude={"shared_queries"})
    values["num_queries"] = None if values["num_queries"] == "all" else values["num_queries"]
    return DataConfig(seed=space.seed, max_context=max_context, **values)


def _unknown_need(size: int) -> None:
    """Return None: the number of vectors needed cannot be estimated."""


def _longest_feasible(space: Space, corpus: Corpus, contexts: list[int], smallest: int) -> tuple[Dataset, dict]:
    """Return the data of the longest feasible context, and the refusals of longer ones."""
    refusals = {}
    for context in reversed(contexts):
        config = data_config(space, context)
        try:
            dataset = build_dataset(corpus, config)
        except InputError as error:
            if context == min(contexts):
                raise
            refusals[context] = (str(error), _vectors_for(corpus, space, context))
            continue
        if len(dataset.train_positions) >= smallest:
            return dataset, refusals
        reason, needed = _too_few_targets(dataset, smallest)
        refusals[context] = (reason, needed)
    raise InputError(
        f"the corpus must fill at least one cell, but {corpus.name} has {len(dataset.train_positions)} training "
        f"targets with {context} vectors before them and the smallest num_sequences is {smallest}{gate_note(dataset)}. "
        "Lower cells.num_sequences or cells.context_length, or give a larger corpus."
    )


def gate_note(dataset: Dataset) -> str:
    """Return a note on how much the coherence gate removed, empty without a gate."""
    if dataset.config.min_coherence is None:
        return ""
    total = len(dataset.train_positions) + dataset.num_incoherent
    return f"; the coherence gate at {dataset.config.min_coherence} removed {dataset.num_incoherent:,} of {total:,}"


def _too_few_targets(dataset: Dataset, num_sequences: int):
    """Return (reason, function from N to vectors needed) if the training part has too few targets, else None."""
    available, corpus = len(dataset.train_positions), dataset.corpus
    if available >= num_sequences:
        return None
    context = dataset.config.max_context
    reason = f"{available} training targets have {context} vectors before them, but {num_sequences} are needed"
    reason += gate_note(dataset)

    def needed(size: int) -> int | None:
        return -(-corpus.num_vectors * size // available) if available else None

    return reason, needed


def _vectors_for(corpus: Corpus, space: Space, context: int):
    """Estimate the vectors that such a corpus needs for N training targets and the minimum of queries."""
    lengths = np.diff(corpus.chain_starts)
    context = min(context, int(lengths.max()))  # a requested number may exceed an array's range
    usable = np.clip(lengths - context, 0, None).sum() / corpus.num_vectors  # targets per vector
    train, validation, test = space.data.fractions

    def needed(size: int) -> int | None:
        if not usable or size > 1e15:  # beyond any corpus
            return None
        return math.ceil(max(size / train, MIN_QUERIES / min(validation, test)) / usable)

    return needed


def _arm_values(space: Space) -> list[tuple[tuple[str, Any], ...]]:
    """Return every combination of the arms' values; one empty combination without arms."""
    combined: list[tuple[tuple[str, Any], ...]] = [()]
    for key, values in space.arms.items():
        combined = [(*arm, (key, value)) for arm in combined for value in values]
    return combined


def _check_negatives(space: Space, smallest: int) -> None:
    """Refuse more negatives than every batch of the smallest cell has."""
    recipe = space.recipe({})
    if recipe.negatives_from == "micro_batch":
        return  # as published: as many as the micro-batch has
    most = max_num_negatives(recipe.batch_size, smallest)
    if recipe.num_negatives > most:
        raise InputError(
            f"num_negatives <= batch_size - ceil(batch_size / smallest num_sequences) - 1 = {most} must hold for "
            f"every cell to have the same number, but got {recipe.num_negatives} (batch_size {recipe.batch_size}, "
            f"num_sequences {smallest}). Lower fixed.num_negatives or raise fixed.batch_size."
        )
