"""Read a study's manifest.json into typed objects. Every reader of a manifest uses this schema."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lvm_core.errors import InputError
from study.messages.validation import explain
from study.records.columns import plain_name
from study.records.renames import with_current_keys
from study.records.store import RecordStore

MANIFEST = "manifest.json"

Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**31)]
Mean = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Length = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")]  # in vectors; keys of JSON are text
NULL_IS_EMPTY = BeforeValidator(lambda found: {} if found is None else found)  # older versions recorded null


def _moment(text: str) -> str:
    """Return a time unchanged. Raises: ValueError unless it is ISO 8601 with a time zone."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"a time must have a time zone, but got {text!r}")
    return text


Name = Annotated[str, AfterValidator(plain_name)]
Moment = Annotated[str, AfterValidator(_moment)]
Value = str | bool | int | float | None
Params = dict[str, Value]


class Recorded(BaseModel):
    """A section of a manifest. Unknown keys are ignored: a later version may add some."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class RecordedCells(Recorded):
    context_length: list[Size] = Field(min_length=1)
    num_sequences: list[Size] = Field(min_length=1)


class RecordedPatience(Recorded):
    replay: list[Size] = Field(min_length=1)


class RecordedRacing(Recorded):
    num_samples: Size


class RecordedDomain(Recorded):
    """The domain of one searched value: an interval, or choices."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[Value] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        interval = self.low is not None and self.high is not None
        if not self.choices and not (interval and self.low < self.high and (not self.log or self.low > 0)):
            raise ValueError("a domain must have `choices`, or `low` below `high` (above 0 if `log` is set)")
        return self


class RecordedCompare(Recorded):
    by: Literal["steps", "gain", "difference"]
    reference: Name


class FormerSpace(Recorded):
    """What is read of a space that was extended since. The keys of older studies are accepted."""

    racing: RecordedRacing

    @model_validator(mode="before")
    @classmethod
    def _current(cls, content: Any) -> Any:
        return with_current_keys(content) if isinstance(content, dict) else content


class RecordedSpace(FormerSpace):
    """The search space as it was run. study.space validates space files themselves."""

    replicates: Size
    cells: RecordedCells
    patience: RecordedPatience
    search: Annotated[dict[Name, RecordedDomain], NULL_IS_EMPTY] = {}
    compare: RecordedCompare | None = None


class RecordedAudit(Recorded):
    num_leaked_vectors: Count
    num_leaked_targets: Count | None = None
    num_train_vectors: Count | None = None


class RecordedCandidates(Recorded):
    """What the test queries are ranked among, as lifecycle/manifest.py describes it."""

    exclude_context: bool
    one_per_document: bool
    own_context: Mean
    own_document: Mean
    document_hit_at_5: Mean


class RecordedNearCopies(Recorded):
    """Held-out vectors near a training vector; test_rows: those that are targets of test queries, where listed."""

    threshold: float | None = None
    num_validation: Count | None = None
    num_test: Count | None = None
    search: str | None = None
    test_rows: list[Count] | None = None


class RecordedSplit(Recorded):
    """How the data was split, and what the audit of the split found.

    train_lengths: how many stretches of the training part have each length, in vectors; a window lies within one.
    """

    fingerprint: str | None = None
    protocol: str | None = None
    kind: str = ""
    max_context: Count | None = None
    num_chains: Annotated[dict[str, Count], NULL_IS_EMPTY] = {}
    num_queries: Count = 0
    pool_size: Count = 0
    removed: Annotated[dict[str, Count | None], NULL_IS_EMPTY] = {}
    train_lengths: Annotated[dict[Length, Count], NULL_IS_EMPTY] = {}
    audit: RecordedAudit | None = None
    candidates: RecordedCandidates | None = None
    near_copies: RecordedNearCopies | None = None


class RecordedCorpus(Recorded):
    name: str
    fingerprint: str
    num_vectors: Count
    dim: Count
    num_chains: Count


class RecordedHardware(Recorded):
    processor: str | None = None
    system: str | None = None
    num_cpus: Count | None = None
    memory_bytes: Count | None = None


class RecordedVariant(Recorded):
    """The cell of a variant of a row; identical variants share one."""

    variant: Name | None
    row: Name | None
    cell_id: Name
    context_length: Size
    num_sequences: Size
    protocol: str
    split_fingerprint: str


class Former(Recorded):
    """The space of a study before an extension."""

    until: Moment
    space: FormerSpace


class Chosen(Recorded):
    """The searched values that the study measures, by cell id: each cell's own, and those in common.

    common: empty if the study does not measure one configuration for all cells of an arm and variant.
    """

    tuned: dict[Name, Params]
    common: dict[Name, Params] = {}


class RecordedRun(Recorded):
    started_at: str | None = None
    finished_at: str | None = None
    ended: str | None = None
    wall_s: Seconds = 0.0
    driver_cpu_s: Seconds = 0.0


class CarriedOver(Recorded):
    """A trainer version that reproduced the recorded numbers of this study (lifecycle/carry_over.py)."""

    trainer_version: str
    at: Moment
    trial_ids: list[str]


class Manifest(Recorded):
    """A study's configuration, data and cost. Older studies and test studies may lack the keys that have a default."""

    study: str
    question: str
    space: RecordedSpace
    cells: list[Name]
    split: RecordedSplit
    protocol: str | None = None
    command: str | None = None
    seed: int | None = None
    splits: list[RecordedSplit] = []
    corpus: RecordedCorpus | None = None
    variants: list[RecordedVariant] = []
    warnings: list[str] = []
    device: str | None = None
    precision: str | None = None
    trainer_version: str | None = None
    code_version: str | None = None
    versions: dict[str, str | None] = {}
    hardware: RecordedHardware = RecordedHardware()
    carried_over: list[CarriedOver] = []
    history: list[Former] = []
    runs: list[RecordedRun] = []
    candidates: list[Params] = []
    chosen: Chosen | None = None
    reopened: dict[str, Moment] = {}  # written by older versions
    wall_s: Seconds | None = None
    cpu_s: Seconds | None = None

    @classmethod
    def of(cls, content: Any, where: str) -> Self:
        """Check the content of a manifest.json. Raises: InputError naming the first key that is missing or wrong."""
        if not isinstance(content, dict):
            raise InputError(f"a study's {MANIFEST} must be an object, but {where} contains {str(content)[:40]!r}.")
        try:
            return cls.model_validate(content)
        except (ValidationError, RecursionError) as error:
            problem = (
                explain(error, cls, where) if isinstance(error, ValidationError) else f"{where} is nested too deeply"
            )
            raise InputError(f"{problem}. Restore the file, or run the study again under another name.") from None

    @property
    def all_splits(self) -> list[RecordedSplit]:
        """All splits of the study: one, unless it has variants."""
        return self.splits or [self.split]

    @property
    def is_running(self) -> bool:
        """Whether the last run is recorded as running: it is still going, or it was killed."""
        return bool(self.runs) and self.runs[-1].ended == "running"


class AuditedSplit(RecordedSplit):
    fingerprint: str
    protocol: str
    max_context: Count
    audit: RecordedAudit


class DatedRun(RecordedRun):
    started_at: str


class ResumableManifest(Manifest):
    """A manifest with all keys that resuming needs; a report needs fewer."""

    command: str
    trainer_version: str
    splits: list[AuditedSplit] = Field(min_length=1)
    warnings: list[str]
    runs: list[DatedRun]


def read_manifest(store: RecordStore) -> Manifest:
    """Read a study's manifest. Raises: InputError where it is missing, damaged or wrong."""
    return Manifest.of(store.read_json(MANIFEST), store.path(MANIFEST))
