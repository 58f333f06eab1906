"""Plan a study: the trials of every stage, on data shared by its cells."""

import math
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from lvm_core.baselines import ORACLE, baseline_names
from lvm_core.corpus import Corpus
from lvm_core.dataset import FEW_QUERIES, Dataset
from lvm_core.devices import resolve_device, resolve_precision
from lvm_core.version import TRAINER_VERSION
from study.host.code import code_fingerprint
from study.plan.cells import Cell, Infeasible, PlannedSetting, fill_settings
from study.plan.trial_spec import TrialSpec
from study.records.columns import SEARCH_REPLICATE
from study.space.recipe import Recipe
from study.space.space import Space
from study.space.variants import scaled, settings_of


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything decided before a trial runs.

    settings: by (variant, row). cell_of: for each feasible cell, the first cell whose numbers are the same.
    trainer_version: contained in every trial's id.
    """

    study: str
    space: Space
    corpus: Corpus
    settings: dict[tuple[str | None, str | None], PlannedSetting]
    cells: tuple[Cell, ...]
    infeasible: tuple[Infeasible, ...]
    device: str
    precision: str
    cell_of: dict[Cell, Cell] = field(default_factory=dict)
    trainer_version: str = TRAINER_VERSION

    @property
    def searches(self) -> bool:
        """Whether there is anything to search."""
        return bool(self.space.search)

    @property
    def num_maps(self) -> int:
        """The most configurations that are measured in a cell: its own, and the common one."""
        return 2 if self.searches and self.space.common_map else 1

    @property
    def dataset(self) -> Dataset:
        """The data of the first cell; of all cells if queries are shared and there are no variants."""
        return self.dataset_of(self.cells[0])

    @property
    def split_fingerprint(self) -> str:
        return self.dataset.fingerprint

    def setting_of(self, cell: Cell | Infeasible) -> PlannedSetting:
        return self.settings[cell.variant, cell.row]

    def dataset_of(self, cell: Cell) -> Dataset:
        """Return a cell's data; for an infeasible cell, the first cell's."""
        return self.setting_of(cell).datasets.get(cell.context_length) or self.dataset

    def recipe(self, cell: Cell, params: dict[str, Any]) -> Recipe:
        """Return a cell's complete recipe, including the values that follow from the cell."""
        made = self.setting_of(cell).space.recipe({**dict(cell.arm), **params})
        made = made.model_copy(update={"device": self.device, "precision": self.precision})
        return made.for_cell(cell.context_length, cell.num_sequences, self.corpus.dim)

    @cached_property
    def num_evaluations(self) -> int:
        """The most evaluations that any trial can have."""
        runs = [self.recipe(c, {}).training_part(c.context_length, c.num_sequences, patience=1) for c in self.cells]
        return max(run.num_evaluations for run in runs)

    def spec(self, cell: Cell, stage: str, replicate: int, params: dict[str, Any]) -> TrialSpec:
        """Return a trial of a trained model."""
        values = self.recipe(cell, params).model_dump()
        return self._spec(stage, cell, cell.cell_id, cell.num_sequences, replicate, values)

    def baseline_jobs(self) -> list[list[TrialSpec]]:
        """Return the baselines as jobs, costliest first: each cell's, then the training-free ones of a context."""
        by_cell = sorted(self.cells, key=lambda cell: (-cell.context_length, -cell.num_sequences))
        jobs = [self._trained_baselines(cell) for cell in by_cell] + [self._free_baselines(g) for g in by_cell]
        return list({job[0].trial_id: job for job in jobs}.values())  # cells with the same data and size share theirs

    def _trained_baselines(self, cell: Cell) -> list[TrialSpec]:
        cell_id = f"C{cell.context_length}_N{cell.num_sequences}"
        return [
            self._spec("baseline", cell, cell_id, cell.num_sequences, replicate, {"model": name})
            for replicate in self.confirm_replicates
            for name in baseline_names(trains=True)
        ]

    def _free_baselines(self, cell: Cell) -> list[TrialSpec]:
        free = baseline_names(trains=False) + ([ORACLE] if self.dataset_of(cell).oracle else [])
        cell_id = f"C{cell.context_length}"
        return [self._spec("baseline", cell, cell_id, None, None, {"model": name}) for name in free]

    @property
    def confirm_replicates(self) -> range:
        return range(SEARCH_REPLICATE + 1, SEARCH_REPLICATE + 1 + self.space.replicates)

    def _spec(
        self, stage: str, cell: Cell, cell_id: str, size: int | None, replicate: int | None, values: dict[str, Any]
    ) -> TrialSpec:
        space, dataset = self.setting_of(cell).space, self.dataset_of(cell)
        return TrialSpec(
            study=self.study,
            stage=stage,
            protocol=space.protocol,
            cell_id=cell_id,
            context_length=cell.context_length,
            num_sequences=size,
            replicate=replicate,
            seed=self.space.seed,
            recipe=values,
            patience=None if stage == "baseline" else space.patience.longest,
            corpus=self.corpus.path,
            corpus_name=self.corpus.name,
            corpus_fingerprint=self.corpus.fingerprint,
            data=asdict(dataset.config),
            split_fingerprint=dataset.fingerprint,
            trainer_version=self.trainer_version,
            code_fingerprint=code_fingerprint(),
        )

    def warnings(self) -> list[str]:
        """Return caveats for readers of the map."""
        found = []
        for dataset, asked in self._asked_queries().values():
            num_queries = len(dataset.queries["test"].positions)
            where = f" (C={dataset.config.max_context})" if len(self._asked_queries()) > 1 else ""
            if num_queries < FEW_QUERIES:
                width = 2 * 1.96 * math.sqrt(0.25 / num_queries)
                wide = f"a 95 % interval of Hit@5 is up to {100 * width:.0f} points wide"
                found.append(f"only {num_queries} queries{where}: {wide}")
            elif asked != "all" and num_queries < asked:
                longest = dataset.config.max_context
                found.append(f"{num_queries} queries, not {asked}: no more targets have {longest} vectors before them")
            sizes = {part: queries.pool_size for part, queries in dataset.queries.items()}
            if dataset.config.pool_size is not None and min(sizes.values()) < dataset.config.pool_size:
                found.append(
                    f"pools of {sizes['validation']} (validation) and {sizes['test']} (test) candidates{where}, not "
                    f"{dataset.config.pool_size}: no more vectors can take the places of a query's own context"
                )
        for cell in self.infeasible:
            name = f" ({', '.join(n for n in (cell.row, cell.variant) if n)})" if cell.row or cell.variant else ""
            found.append(f"infeasible: C={cell.context_length} N={cell.num_sequences}{name}: {cell.reason}")
        return found

    def _asked_queries(self) -> dict[str, tuple[Dataset, int | str]]:
        """Return each distinct dataset of the study with its requested number of queries, by fingerprint."""
        found: dict[str, tuple[Dataset, int | str]] = {}
        for cell in self.cells:
            dataset = self.dataset_of(cell)
            found.setdefault(dataset.fingerprint, (dataset, self.setting_of(cell).space.data.num_queries))
        return found

    @property
    def datasets(self) -> list[tuple[str, Dataset]]:
        """The distinct datasets of the study in cell order, each with its protocol."""
        found = {}
        for cell in self.cells:
            dataset = self.dataset_of(cell)
            found.setdefault(dataset.fingerprint, (self.setting_of(cell).space.protocol, dataset))
        return list(found.values())

    @property
    def max_context(self) -> int:
        return self.dataset.config.max_context


def make_plan(study: str, space: Space, corpus: Corpus) -> Plan:
    """Determine the feasible contexts, the data of every setting, and the feasible cells.

    Raises: InputError if the corpus fills no cell, or has too few negatives.
    """
    space = scaled(space, corpus.num_vectors)
    settings = settings_of(space)
    planned, cells, infeasible = fill_settings(settings, corpus)
    own = settings[0].space if len(settings) == 1 else space
    device = resolve_device(own.recipe({}).device)
    plan = Plan(
        study=study,
        space=own,
        corpus=corpus,
        settings=planned,
        cells=tuple(cells),
        infeasible=tuple(infeasible),
        device=device,
        precision=resolve_precision(own.recipe({}).precision, device),
    )
    return _without_repeats(plan)


def _without_repeats(plan: Plan) -> Plan:
    """Let variants that change nothing in a cell share its trials."""
    first: dict[str, Cell] = {}
    cell_of = {}
    for cell in plan.cells:
        trial_id = plan.spec(cell, "confirm", SEARCH_REPLICATE, {}).trial_id
        cell_of[cell] = first.setdefault(trial_id, cell)
    return replace(plan, cells=tuple(first.values()), cell_of=cell_of)
