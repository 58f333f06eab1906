"""A complete search space and the rules across its sections, checked once, then frozen."""

from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_serializer, field_validator, model_validator

from lvm_core.remote import without_secrets
from lvm_core.train_config import TrainConfig
from study.messages.durations import parse_duration
from study.messages.validation import explain, nearest
from study.space.protocol import CONTROLLED, Protocol
from study.space.recipe import Recipe
from study.space.sections import STRICT, Cells, Compare, Data, Domain, Name, Patience, Racing

# set alike for every cell, or the map would compare more than C and N; runs may still end before max_steps
ONE_FOR_ALL = (
    *("max_steps", "warmup_steps", "eval_interval", "batch_size", "num_negatives", "micro_batch_size"),
    *("device", "precision", "epochs", "negatives_from"),
)


class Space(BaseModel):
    """A complete study, from its YAML file and the command line.

    common_map: whether the configuration that all cells of an arm and variant have in common is measured too.
    variants: named changes to this file, crossed with its cells. scale: `auto` shortens the contexts of the rows until
    the corpus has as many windows as they ask for. trial_time_limit: the longest run time of a trial, such as `30m`.
    """

    model_config = STRICT

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
    common_map: bool = True
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
        return without_secrets(value)  # the manifest records a space as JSON

    @property
    def trial_limit_s(self) -> float | None:
        """The time limit of a trial in seconds, or None."""
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
            raise ValueError(f"a value must be either fixed, searched or an arm, but {sorted(twice)[0]} is given twice")
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
            raise ValueError("scale: auto needs cells.rows to scale, but there are none")
        return self

    def _point_in_domain(self, number: int, point: dict[str, Any]) -> None:
        for key in point:
            if key not in self.search:
                hint = nearest(key, self.search)
                raise ValueError(f"points_to_evaluate[{number}] may set searched values only, but sets {key}{hint}")
        for key, value in self.point_params(number).items():
            if not self.search[key].contains(value):
                raise ValueError(
                    f"points_to_evaluate[{number}] must be in its domain, but {key} = {value} is outside search.{key}"
                )

    def recipe(self, params: dict[str, Any], where: str = "fixed") -> Recipe:
        """Return the fixed and the given values as one validated recipe."""
        try:
            return Recipe(**{**self.fixed, **params})
        except ValidationError as error:
            raise ValueError(explain(error, Recipe, where)) from None

    def point_params(self, number: int) -> dict[str, Any]:
        """Return the searched values of a point to evaluate first; those it leaves out have the published default."""
        recipe = self.recipe(self.points_to_evaluate[number], where=f"points_to_evaluate[{number}]")
        return {key: getattr(recipe, key) for key in self.search}


def _known(key: str, place: str) -> None:
    if key not in Recipe.model_fields:
        raise ValueError(f"{place} must name known values, but found {place}.{key}{nearest(key, Recipe.model_fields)}")
