"""The sections of a search space: their keys, bounds and defaults."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from lvm_core.data_config import DataConfig, Overlap, SplitBy
from lvm_core.dataset import MIN_QUERIES
from lvm_core.queries import MIN_POOL
from lvm_core.windows import Boundary
from study.records.columns import plain_name

STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
Name = Annotated[str, Field(max_length=60), AfterValidator(plain_name)]
PositiveInts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class Strict(BaseModel):
    model_config = STRICT


class Row(Strict):
    """One named cell with values of its own, such as a row of a published table.

    num_queries: at most this many, if every context has its own queries. fixed: merged over the study's.
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
    """How the corpus is split, gated and queried. The defaults are those of lvm_core.data_config.DataConfig, but for
    `exclude_context`: there its default is that of the first recorded ids, which study/space/legacy.py keeps.
    """

    fractions: tuple[float, float, float] = DataConfig.fractions
    split: SplitBy = DataConfig.split
    boundary: Boundary = DataConfig.boundary
    train_boundary: Boundary | None = DataConfig.train_boundary
    overlap: Overlap = DataConfig.overlap
    shared_queries: bool = True  # one set of queries for all contexts, or one per context
    min_chain_length: int = Field(DataConfig.min_chain_length, ge=1)
    min_coherence: float | None = Field(DataConfig.min_coherence, ge=-1, le=1)
    num_queries: Annotated[int, Field(ge=MIN_QUERIES)] | Literal["all"] = DataConfig.num_queries
    pool_size: int | None = Field(DataConfig.pool_size, ge=MIN_POOL)
    exclude_context: bool = True
    one_per_document: bool = DataConfig.one_per_document

    @field_validator("fractions")
    @classmethod
    def _sum_to_one(cls, values: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(values) <= 0 or not math.isclose(sum(values), 1.0, abs_tol=1e-6):
            raise ValueError("the three fractions must be above 0 and sum to 1")
        return values


class Domain(Strict):
    """The domain of one searched value: an interval, or choices."""

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
        if self.choices is not None:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high


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
    """How the report compares the variants: `steps` from row to row, the `gain` from the first to the last context,
    or the `difference` to the reference on the same queries.
    """

    by: Literal["steps", "gain", "difference"]
    reference: str
