"""The keys of a search space, their bounds and their defaults: checked once, then frozen."""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from lvm_core.dataset import MIN_QUERIES, DataConfig, Overlap, SplitBy
from lvm_core.remote import without_secrets
from lvm_core.train_config import TrainConfig
from lvm_core.windows import Boundary
from study.messages.durations import parse_duration
from study.messages.validation import explain, nearest
from study.records.columns import plain_name
from study.space.protocol import CONTROLLED, Protocol
from study.space.recipe import Recipe

Name = Annotated[str, Field(max_length=60), AfterValidator(plain_name)]
PositiveInts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


# equal in every cell, or the map compares more than C and N
ONE_FOR_ALL = (
    *("max_steps", "warmup_steps", "eval_interval", "batch_size", "num_negatives", "micro_batch_size"),
    *("device", "precision", "epochs", "negatives_from"),
)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Row(Strict):
    """One named cell with values of its own, such as a row of a published table.

    num_queries: at most so many, where every context has queries of its own. fixed: laid over the study's.
    """

    context_length: int = Field(ge=1)
    num_sequences: int = Field(ge=1)
    num_queries: int | None = Field(None, ge=MIN_QUERIES)
    fixed: dict[str, Any] = {}


class Cells(Strict):
    """The map's axes, which cross fully; or named rows, which do not cross."""

    context_length: PositiveInts
    num_sequences: PositiveInts
    rows: dict[Name, Row] = {}

    @model_validator(mode="before")
    @classmethod
    def _axes_of_rows(cls, values: Any) -> Any:
        if not (isinstance(values, dict) and isinstance(values.get("rows"), dict) and values["rows"]):
            return values
        if set(values) != {"rows"}:
            raise ValueError("cells must have either `rows`, or both `context_length` and `num_sequences`")
        rows = [row for row in values["rows"].values() if isinstance(row, dict)]
        axes = {key: [row.get(key) for row in rows] for key in ("context_length", "num_sequences")}
        return {**values, **axes}

    @field_validator("context_length", "num_sequences")
    @classmethod
    def _distinct(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(values)))


class Data(Strict):
    """How the corpus is split, gated and queried. The defaults are those of lvm_core.dataset.DataConfig."""

    fractions: tuple[float, float, float] = DataConfig.fractions
    split: SplitBy = DataConfig.split
    boundary: Boundary = DataConfig.boundary
    train_boundary: Boundary | None = DataConfig.train_boundary
    overlap: Overlap = DataConfig.overlap
    shared_queries: bool = True  # one set of queries for every context, or each its own
    min_chain_length: int = Field(DataConfig.min_chain_length, ge=1)
    min_coherence: float | None = Field(DataConfig.min_coherence, ge=-1, le=1)
    num_queries: Annotated[int, Field(ge=MIN_QUERIES)] | Literal["all"] = DataConfig.num_queries
    pool_size: int | None = Field(DataConfig.pool_size, ge=MIN_QUERIES)

    @field_validator("fractions")
    @classmethod
    def _sum_to_one(cls, values: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(values) <= 0 or not math.isclose(sum(values), 1.0, abs_tol=1e-6):
            raise ValueError("the three fractions must be above 0 and sum to 1")
        return values


class Domain(Strict):
    """Where Optuna draws one value: an interval, or choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "Domain":
        interval = self.low is not None and self.high is not None
        if (self.choices is None) != interval or (interval and (self.low, self.high).count(None)):
            raise ValueError("a domain must have either `choices`, or both `low` and `high`")
        if self.choices is not None and not self.choices:
            raise ValueError("a domain must not be empty, but `choices` has no value")
        if interval and not self.low < self.high:
            raise ValueError(f"a domain must not be empty, but low {self.low:g} is not below high {self.high:g}")
        if interval and self.log and self.low <= 0:
            raise ValueError(f"a log domain must be above 0, but low is {self.low:g}")
        return self

    def contains(self, value: Any) -> bool:
        return value in self.choices if self.choices is not None else self.low <= value <= self.high


class Racing(Strict):
    """How many configurations each cell tries, and how ASHA stops the weak ones."""

    num_samples: int = Field(6, ge=1)
    grace_period: int = Field(2, ge=1)
    reduction_factor: int = Field(3, ge=2)
    in_flight_per_cell: int = Field(1, ge=1)


class Patience(Strict):
    """Patience values, in evaluations. Runs use the largest; the others are read off its curve."""

    replay: PositiveInts

    @property
    def longest(self) -> int:
        return max(self.replay)


class Compare(Strict):
    """What the report makes of the variants: `steps` from row to row, the `gain` from the first to the last context,
    or the `difference` to the reference on the same queries.
    """

    by: Literal["steps", "gain", "difference"]
    reference: str


class Space(Strict):
    """A whole study, as its YAML file and the command line say it.

    variants: named changes of this file, crossed with its cells. scale: `auto` shortens the rows' contexts until the
    corpus has as many windows as the rows ask for. trial_time_limit: a trial that runs longer is ended, `30m`.
    """

    question: str
    corpus: str = "kalman"
    seed: int = Field(0, ge=0, lt=2**63)
    protocol: Protocol = CONTROLLED
    cells: Cells
    data: Data = Data()
    fixed: dict[str, Any] = {}
    points_to_evaluate: tuple[dict[str, Any], ...] = Field(({},), min_length=1)
    search: dict[str, Domain] = {}
    arms: dict[str, tuple[Any, ...]] = {}
    patience: Patience = Patience(replay=(TrainConfig.patience,))
    racing: Racing = Racing()
    replicates: int = Field(3, ge=1)
    variants: dict[Name, dict[str, Any]] = {}
    compare: Compare | None = None
    scale: Literal["none", "auto"] = "none"
    trial_time_limit: str | None = None

    @field_validator("trial_time_limit")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value, "trial_time_limit")
        return value

    @field_serializer("corpus", when_used="json")
    def _without_secrets(self, value: str) -> str:
        return without_secrets(value)  # what is recorded of a space is JSON

    @property
    def trial_limit_s(self) -> float | None:
        """Seconds after which a trial is ended, or None."""
        return None if self.trial_time_limit is None else parse_duration(self.trial_time_limit, "trial_time_limit")

    @model_validator(mode="after")
    def _recipes_hold(self) -> "Space":
        for place in ("fixed", "search", "arms"):
            for key in getattr(self, place):
                _known(key, place)
        self.recipe({})
        for key in ONE_FOR_ALL:
            if key in self.search or key in self.arms:
                raise ValueError(f"{key} must be the same in every trial of a study; set fixed.{key}")
        twice = (set(self.fixed) & set(self.search)) | (set(self.arms) & (set(self.fixed) | set(self.search)))
        if twice:
            raise ValueError(f"a value is either fixed, searched or an arm, but {sorted(twice)[0]} is given twice")
        for key, domain in self.search.items():
            for value in domain.choices if domain.choices is not None else (domain.low, domain.high):
                self.recipe({key: value}, where=f"search.{key}")
        for key, values in self.arms.items():
            if not values:
                raise ValueError(f"a domain must not be empty, but arms.{key} has no value")
            for value in values:
                self.recipe({key: value}, where=f"arms.{key}")
        for number, point in enumerate(self.points_to_evaluate):
            self._point_in_domain(number, point)
        if self.compare is not None and self.compare.reference not in self.variants:
            raise ValueError(f"compare.reference must be a variant{nearest(self.compare.reference, self.variants)}")
        if self.scale == "auto" and not self.cells.rows:
            raise ValueError("scale: auto keeps the numbers of windows of cells.rows, but there are no rows")
        return self

    def _point_in_domain(self, number: int, point: dict[str, Any]) -> None:
        for key in point:
            if key not in self.search:
                hint = nearest(key, self.search)
                raise ValueError(f"points_to_evaluate[{number}] may set searched values only, but sets {key}{hint}")
        for key, value in self.point_params(number).items():
            if not self.search[key].contains(value):
                raise ValueError(
                    f"points_to_evaluate[{number}] must lie in its domain, but {key} = {value} is outside search.{key}"
                )

    def recipe(self, params: dict[str, Any], where: str = "fixed") -> Recipe:
        """Return fixed and given values as one checked recipe."""
        try:
            return Recipe(**{**self.fixed, **params})
        except ValidationError as error:
            raise ValueError(explain(error, Recipe, where)) from None

    def point_params(self, number: int) -> dict[str, Any]:
        """Return the searched values of a point to evaluate first; what it leaves open has the published default."""
        recipe = self.recipe(self.points_to_evaluate[number], where=f"points_to_evaluate[{number}]")
        return {key: getattr(recipe, key) for key in self.search}


def _known(key: str, place: str) -> None:
    if key not in Recipe.model_fields:
        raise ValueError(f"{place} must name known values, but found {place}.{key}{nearest(key, Recipe.model_fields)}")
