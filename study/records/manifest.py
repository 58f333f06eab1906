"""Check a study's manifest.json where it is read: what a report or a resumed run reads from it has its type."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lvm_core.errors import InputError
from study.messages.validation import explain
from study.records.columns import plain_name

Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**31)]
Seconds = Annotated[float, Field(ge=0)]


def _moment(text: str) -> str:
    """Return a time as it stands. Raises: ValueError unless it is ISO 8601 with its zone."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"a time must have its zone, but got {text!r}")
    return text


Name = Annotated[str, AfterValidator(plain_name)]
Moment = Annotated[str, AfterValidator(_moment)]


class Part(BaseModel):
    """A part of a manifest. Other keys are left alone: a later version may write more."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Cells(Part):
    context_length: list[Size] = Field(min_length=1)
    num_sequences: list[Size] = Field(min_length=1)


class Patience(Part):
    replay: list[Size] = Field(min_length=1)


class Racing(Part):
    num_samples: Size


class Domain(Part):
    """Where one searched value was drawn: an interval, or choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[str | bool | int | float | None] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "Domain":
        interval = self.low is not None and self.high is not None
        if not self.choices and not (interval and self.low < self.high and (not self.log or self.low > 0)):
            raise ValueError("a domain must have `choices`, or `low` below `high`, above 0 where it is logarithmic")
        return self


class Compare(Part):
    by: Literal["steps", "gain", "difference"]
    reference: Name


class Space(Part):
    """The search space as it was run; what the space file itself must hold is checked by study.space."""

    replicates: Size
    cells: Cells
    patience: Patience
    racing: Racing
    search: dict[Name, Domain] | None = None
    compare: Compare | None = None


class Audit(Part):
    num_leaked_vectors: Count
    num_leaked_targets: Count | None = None
    num_train_vectors: Count | None = None


class Split(Part):
    fingerprint: str | None = None
    protocol: str | None = None
    kind: str = ""
    max_context: Count | None = None
    num_chains: dict[str, Count] | None = None
    num_queries: Count = 0
    pool_size: Count = 0
    removed: dict[str, Count | None] | None = None
    audit: Audit = None  # it may be missing, and not null
    near_copies: dict[str, Any] | None = None


class Corpus(Part):
    name: str
    fingerprint: str
    num_vectors: Count
    dim: Count
    num_chains: Count


class Hardware(Part):
    processor: str | None = None
    system: str | None = None
    num_cpus: Count = 1
    memory_bytes: Count = 0


class Variant(Part):
    variant: Name | None
    row: Name | None
    cell_id: Name
    context_length: Size
    num_sequences: Size
    protocol: str
    split_fingerprint: str


class FormerSpace(Part):
    racing: Racing


class Former(Part):
    """A space that the study had before it was extended."""

    until: Moment
    space: FormerSpace


class Run(Part):
    started_at: str | None = None
    finished_at: str | None = None
    ended: str | None = None
    wall_s: Seconds = 0.0
    driver_cpu_s: Seconds = 0.0


class Manifest(Part):
    """What reports read. Keys with a default are those that a study may lack."""

    study: str
    question: str
    space: Space
    cells: list[Name]
    split: Split
    splits: list[Split] = []
    corpus: Corpus = None  # it may be missing, and not null
    variants: list[Variant] = []
    warnings: list[str] = []
    versions: dict[str, str | None] = {}
    hardware: Hardware = Hardware()
    history: list[Former] = []
    runs: list[Run] = []
    reopened: dict[str, Moment] = {}
    wall_s: Seconds | None = None
    cpu_s: Seconds | None = None


class AuditedSplit(Split):
    fingerprint: str
    protocol: str
    max_context: Count
    audit: Audit


class DatedRun(Run):
    started_at: str


class ResumableManifest(Manifest):
    """What a run reads that goes on with a study."""

    command: str
    splits: list[AuditedSplit] = Field(min_length=1)
    warnings: list[str]
    runs: list[DatedRun]


def check_manifest(content: Any, where: str, model: type[Manifest] = Manifest) -> dict:
    """Return a manifest's content as it stands. Raises: InputError naming the first key that is missing or wrong."""
    if not isinstance(content, dict):
        raise InputError(f"a study's manifest.json must be an object, but {where} holds {str(content)[:40]!r}.")
    try:
        model.model_validate(content)
    except (ValidationError, RecursionError) as error:
        said = explain(error, model, where) if isinstance(error, ValidationError) else f"{where} is nested too deep"
        raise InputError(f"{said}. Restore the file, or run the study again under another name.") from None
    return content
