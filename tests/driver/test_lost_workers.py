"""A lost worker costs its trial an attempt, unless its machine was to blame."""

from types import SimpleNamespace

import pytest
from ray.exceptions import OutOfMemoryError, RayActorError

from lvm_core.errors import InputError
from study.driver.lost_workers import RayActorManager, lost_to, lost_workers_reported_alike
from study.driver.recorder import MAX_ATTEMPTS, UNBEGUN, UNBEGUN_S, Recorder
from study.driver.tune_run import Dealer
from study.plan.plan import make_plan
from study.records.columns import TABLES
from study.records.store import RecordStore
from study.space.file import load_space
from study.trial.ledger import Ledger
from study.trial.rows import base_row
from study.trial.update import TrialUpdate


class Job:
    """A Tune trial as the recorder sees it."""

    def __init__(self, job_id, config, error_file=None):
        self.trial_id, self.config, self.error_file = job_id, config, error_file
        self.temporary_state = SimpleNamespace(ray_actor=None)


class Source:
    """Deals one job, as study.search.queue.StudyTrials would."""

    def __init__(self, specs):
        self.jobs = [specs]

    @property
    def finished(self):
        return not self.jobs

    def next(self):
        return self.jobs.pop(0) if self.jobs else None


@pytest.fixture
def specs(tiny_space, small_corpus):
    plan = make_plan("s", load_space(tiny_space, None, [], {}), small_corpus)
    return plan.baseline_jobs()[0][:2]


@pytest.fixture
def driver(specs, tmp_path):
    ledger = Ledger(RecordStore.at(tmp_path), TABLES["trials"].empty_table().to_pandas())
    progress = SimpleNamespace(started=lambda *_: None, reported=lambda *_: None, lost=lambda *_: None)
    recorder = Recorder(ledger, SimpleNamespace(pruned=set()), progress)
    (tmp_path / "error.txt").write_text("Failure # 1 (occurred at noon)\nits node died\n")
    source = Source(specs)
    dealer = Dealer(source, recorder, None)
    return SimpleNamespace(ledger=ledger, recorder=recorder, source=source, dealer=dealer, error=tmp_path / "error.txt")


def deal(driver, number):
    return Job(f"job{number}", driver.dealer.suggest(f"job{number}"), driver.error)


def begin(driver, job, spec):
    update = TrialUpdate(spec.trial_id, base_row(spec), begins=True)
    driver.recorder.on_trial_result(0, [], job, {"update": update})


def lose(driver, job):
    driver.dealer.on_trial_complete(job.trial_id, error=True)
    driver.recorder.on_trial_error(0, [], job)


def finish(driver, job, spec):
    begin(driver, job, spec)
    row = {**base_row(spec), "status": "completed"}
    driver.recorder.on_trial_result(0, [], job, {"update": TrialUpdate(spec.trial_id, row, final=True)})


def test_a_worker_lost_before_its_trial_began_costs_no_attempt(driver, specs):
    for number in range(MAX_ATTEMPTS + 3):
        lose(driver, deal(driver, number))
    job = deal(driver, 99)
    for spec in specs:
        finish(driver, job, spec)
    driver.dealer.on_trial_complete(job.trial_id)
    assert [(row["status"], row["attempt"]) for row in driver.ledger.rows] == [("completed", 1)] * 2
    assert driver.dealer.suggest("more") == "FINISHED"


def test_a_trial_that_keeps_losing_its_worker_fails_and_the_rest_of_its_job_runs(driver, specs):
    for number in range(MAX_ATTEMPTS):
        job = deal(driver, number)
        begin(driver, job, specs[0])
        assert driver.dealer.suggest("another") is None, "a running job may still be lost"
        lose(driver, job)
    job = deal(driver, 9)
    assert [values["replicate"] for values in job.config["specs"]] == [specs[1].replicate]
    finish(driver, job, specs[1])
    rows = {row["trial_id"]: (row["status"], row["stop_reason"], row["attempt"]) for row in driver.ledger.rows[:1]}
    assert rows == {specs[0].trial_id: ("failed", "worker_lost", MAX_ATTEMPTS)}
    assert driver.ledger.rows[0]["error"] == "its node died"
    assert driver.ledger.rows[1]["status"] == "completed"


def test_a_lost_job_resumes_at_the_trial_that_lost_its_worker(driver, specs):
    job = deal(driver, 1)
    finish(driver, job, specs[0])
    begin(driver, job, specs[1])
    lose(driver, job)
    assert len(deal(driver, 2).config["specs"]) == 1


def test_a_study_whose_workers_never_start_stops_in_one_sentence(driver, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("study.driver.recorder.time.monotonic", lambda: now[0])
    for number in range(UNBEGUN + 1):
        assert driver.recorder.failure is None
        lose(driver, deal(driver, number))
        now[0] += UNBEGUN_S / UNBEGUN + 0.1
    assert isinstance(driver.recorder.failure, InputError)
    assert "its node died" in str(driver.recorder.failure) and "--resume" in str(driver.recorder.failure)
    assert driver.dealer.suggest("more") == "FINISHED"


def test_a_choice_that_cannot_be_written_stops_the_study(driver):
    def full_disk():
        raise OSError("No space left on device")

    driver.source.next = full_disk
    assert driver.dealer.suggest("job1") == "FINISHED"
    assert isinstance(driver.recorder.failure, OSError)


def test_an_overdue_trial_is_a_row_and_the_rest_of_its_job_runs(driver, specs):
    now = [0.0]
    driver.recorder._clocks.limit_s, driver.recorder._clocks.now = 5.0, lambda: now[0]
    job = deal(driver, 1)
    begin(driver, job, specs[0])
    now[0] = 6.0
    driver.recorder.on_step_end(0, [])
    lose(driver, job)
    assert [(row["status"], row["stop_reason"]) for row in driver.ledger.rows] == [("timeout", "time_limit")]
    assert len(deal(driver, 2).config["specs"]) == 1


def test_timeouts_do_not_count_as_workers_that_never_start(driver, specs, monkeypatch):
    now = [0.0]
    driver.recorder._clocks.limit_s, driver.recorder._clocks.now = 5.0, lambda: now[0]
    monkeypatch.setattr("study.driver.recorder.time.monotonic", lambda: now[0])
    for number in range(UNBEGUN + 1):
        driver.source.jobs = [specs[:1]]
        job = deal(driver, number)
        begin(driver, job, specs[0])
        driver.recorder.on_step_end(0, [])
        now[0] += 7.0
        driver.recorder.on_step_end(0, [])
        lose(driver, job)
        driver.ledger.recorded.clear()
        driver.dealer._lost.clear()
    assert driver.recorder.failure is None
    assert len(driver.ledger.rows) == UNBEGUN + 1


def test_tune_sees_a_lost_worker_whatever_ray_lost_it_to():
    reported = []
    job = SimpleNamespace(_tracked_actor=SimpleNamespace(_on_error=None, actor_id=1), _on_error=None)
    job._on_error = lambda actor, error: reported.append(error)
    with lost_workers_reported_alike():
        manager = RayActorManager(resource_manager=None)
        manager._cleanup_actor = lambda tracked_actor: None
        manager._actor_task_failed(
            tracked_actor_task=job, exception=OutOfMemoryError("killed due to the node running low on memory")
        )
        with pytest.raises(RuntimeError, match="unexpected"):
            manager._actor_task_failed(job, ValueError("a mistake of the driver"))
    with pytest.raises(RuntimeError, match="unexpected"):
        manager._actor_task_failed(job, OutOfMemoryError("no study runs"))
    assert [type(error) for error in reported] == [RayActorError]
    assert lost_to(str(reported[0])) == "oom"
