"""The trainer: reproducible from its seed, scheduled in steps, stopped by patience or before a non-finite step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import last_vector, oracle
from lvm_core.batches import TrainingBatches, max_num_negatives
from lvm_core.checkpoint import encode, load_model, model_files, write_folder
from lvm_core.devices import resolve_device, resolve_precision
from lvm_core.errors import DivergedError, InputError
from lvm_core.models import ModelConfig
from lvm_core.schedule import learning_rate
from lvm_core.train_config import TrainConfig
from lvm_core.trainer import Trainer

MODEL = ModelConfig(dim=16, hidden_dim=16, num_layers=2, dropout=0.2)
CONFIG = TrainConfig(
    context_length=4, num_sequences=100, learning_rate=5e-3, batch_size=32, num_negatives=26, max_steps=60,
    warmup_steps=5, eval_interval=10, patience=10,
)  # fmt: skip


def run(data, config=CONFIG, model=MODEL, seed=1) -> tuple[Trainer, list]:
    trainer = Trainer(data, model, config, seed)
    return trainer, list(trainer.run())


def series(evaluations) -> list[tuple]:
    return [(e.step, e.train["train_loss"], e.validation.loss, e.validation.rank.tolist()) for e in evaluations]


def test_the_same_seed_gives_the_same_bits_whatever_the_global_random_state(small_data):
    torch.manual_seed(1)
    np.random.seed(1)
    _, first = run(small_data)
    torch.manual_seed(2)
    _, second = run(small_data)
    _, other = run(small_data, seed=2)
    assert series(first) == series(second)
    assert series(first) != series(other)


def test_evaluations_fall_on_steps_and_the_last_one_has_the_stop_reason(small_data):
    _, evaluations = run(small_data, replace(CONFIG, max_steps=25))
    assert [e.step for e in evaluations] == [10, 20, 25]
    assert [e.eval_index for e in evaluations] == [1, 2, 3]
    assert [e.stop_reason for e in evaluations] == [None, None, "max_steps"]
    assert evaluations[-1].sequences_seen == 25 * 32


def test_patience_stops_a_run_and_changes_nothing_before(small_data):
    patient = replace(CONFIG, learning_rate=0.1, max_steps=200)
    _, long = run(small_data, replace(patient, patience=20))
    _, short = run(small_data, replace(patient, patience=2))
    assert short[-1].stop_reason == "patience"
    assert len(short) < len(long)
    assert series(short) == series(long)[: len(short)]
    hits = [e.validation.hit_at(5) for e in short]
    assert hits.index(max(hits)) == len(short) - 3


@pytest.mark.parametrize("model", ["gru", "memory_gru", "hierarchical_gru"])
def test_micro_batches_split_the_work_but_not_the_negatives(small_data, model):
    shape = replace(MODEL, model=model, dropout=0.0)
    whole = Trainer(small_data, shape, replace(CONFIG, micro_batch_size=32), seed=1)
    split = Trainer(small_data, shape, replace(CONFIG, micro_batch_size=5), seed=1)
    for _ in range(5):
        assert split.train_step() == pytest.approx(whole.train_step(), rel=1e-4)
    for a, b in zip(whole.model.state_dict().values(), split.model.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_every_batch_is_full_and_takes_the_sequences_in_permutations(small_data):
    batches = TrainingBatches(small_data, num_sequences=20, batch_size=32, seed=4)
    drawn = np.concatenate([batches.batch(step).positions for step in range(5)])
    assert len(drawn) == 160
    for epoch in range(8):
        assert sorted(drawn[20 * epoch : 20 * (epoch + 1)]) == sorted(batches.positions)
    assert batches.batch(3).positions.tolist() == drawn[96:128].tolist()


@pytest.mark.parametrize(("batch_size", "num_sequences"), [(32, 20), (32, 32), (32, 500), (16, 3), (10, 7)])
def test_no_batch_has_fewer_negatives_than_promised(small_data, batch_size, num_sequences):
    batches = TrainingBatches(small_data, num_sequences, batch_size, seed=0)
    most_repeats = max(np.unique(batches.batch(step).target_rows, return_counts=True)[1].max() for step in range(60))
    assert batch_size - most_repeats >= max_num_negatives(batch_size, num_sequences)


@pytest.mark.parametrize("poison", ["loss", "gradient"])
def test_a_non_finite_loss_or_gradient_stops_the_run_before_the_step(small_data, poison, monkeypatch):
    trainer = Trainer(small_data, MODEL, CONFIG, seed=1)
    trainer.train_step()
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    if poison == "loss":
        trainer.source.gather = lambda rows, gather=trainer.source.gather: gather(rows) * float("nan")
    else:
        parameter = trainer.model.core.output.weight
        parameter.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(DivergedError, match="at step 2 of 60; stopped before the step"):
        trainer.train_step()
    assert all(torch.equal(before[key], value) for key, value in trainer.model.state_dict().items())


def test_the_best_weights_are_those_of_the_best_evaluation(small_data):
    trainer, evaluations = run(small_data)
    best = max(evaluations, key=lambda e: e.validation.hit_at(5))
    assert trainer.best is best
    again = trainer.evaluator.measure(trainer.restore_best(), "validation")
    assert again.rank.tolist() == best.validation.rank.tolist()


def test_the_learning_rate_warms_up_and_ends_at_a_tenth():
    rates = [learning_rate(CONFIG, step) for step in range(61)]
    assert rates[0] == pytest.approx(5e-3 / 5)
    assert max(rates) == rates[5] == pytest.approx(5e-3)
    assert rates[60] == pytest.approx(5e-4)


WSD = replace(CONFIG, schedule="wsd")


def test_with_wsd_the_rate_stays_at_its_peak_until_the_last_fifth_and_ends_at_a_tenth():
    rates = [learning_rate(WSD, step) for step in range(60)]
    assert rates[0] == pytest.approx(5e-3 / 5)
    assert rates[5:48] == [pytest.approx(5e-3)] * 43
    assert rates[48] < 5e-3 and rates[48:] == sorted(rates[48:], reverse=True)
    assert rates[50] == pytest.approx(5e-3 * (0.1 + 0.9 * (1 - (3 / 12) ** 0.5))), "12 steps of decay: 1 - sqrt"
    assert rates[59] == pytest.approx(5e-4)


def test_a_wsd_run_that_runs_out_of_patience_still_decays_and_then_ends(small_data):
    _, evaluations = run(small_data, replace(WSD, learning_rate=0.1, max_steps=2000, patience=2))
    hits = [e.validation.hit_at(5) for e in evaluations]
    rates = [e.learning_rate for e in evaluations]
    stable = [e for e in evaluations if e.learning_rate == 0.1]
    done = stable[-1].step
    best_by_then = max(stable, key=lambda e: e.validation.hit_at(5))
    assert stable[-1].eval_index - best_by_then.eval_index == 2, "patience ended the stable phase"
    assert evaluations[-1].step == done + round(done / 4), "a fifth of all steps is decay"
    assert evaluations[-1].stop_reason == "patience"
    assert rates[-1] == pytest.approx(0.01)
    assert [e.stop_reason for e in evaluations[:-1]] == [None] * (len(hits) - 1)


def test_the_decay_begins_at_the_best_evaluation_and_the_run_depends_on_its_seed_alone(small_data):
    config = replace(WSD, learning_rate=0.1, max_steps=2000, patience=2)
    trainer, moments = Trainer(small_data, MODEL, config, seed=1), []
    for _ in trainer.run():
        moments.append([state["exp_avg"].clone() for state in trainer.optimizer.state.values()])
        if trainer.decay.end < config.max_steps:
            break
    assert trainer.num_evaluations == trainer.best.eval_index + 2
    assert all(torch.equal(trainer.best_weights[k], v) for k, v in trainer.model.state_dict().items())
    assert all(map(torch.equal, moments[-1], moments[trainer.best.eval_index - 1])), "the optimizer returns too"
    assert series(run(small_data, config)[1]) == series(run(small_data, config)[1])


def test_a_wsd_run_never_exceeds_its_steps_and_ignores_patience_while_it_decays(small_data):
    _, evaluations = run(small_data, replace(WSD, learning_rate=0.1, patience=4))
    assert [e.step for e in evaluations] == [10, 20, 30, 40, 50, 60]
    assert evaluations[-1].stop_reason == "max_steps"
    _, impatient = run(small_data, replace(WSD, learning_rate=1e-9, eval_interval=7, patience=1))
    assert [e.step for e in impatient] == [7, 14, 18], "14 steps, then 4 of decay"


def test_a_wsd_run_is_the_cosine_run_until_its_warm_up_ends(small_data):
    _, cosine = run(small_data, replace(CONFIG, eval_interval=5, warmup_steps=5))
    _, wsd = run(small_data, replace(WSD, eval_interval=5, warmup_steps=5))
    assert series(cosine)[:1] == series(wsd)[:1]
    assert series(cosine)[2] != series(wsd)[2]


def test_a_wsd_run_by_epochs_is_measured_at_the_end_of_its_decay(small_data):
    by_epochs = replace(WSD, learning_rate=1e-9, max_steps=60, steps_per_epoch=3, warmup_steps=3, patience=2)
    _, evaluations = run(small_data, by_epochs)
    assert [e.step for e in evaluations] == [3, 18, 21, 24, 26], "epochs 1, 6, 7, then a quarter of 21 steps"


def test_a_trained_model_beats_the_last_vector_and_stays_below_the_oracle():
    from lvm_core.corpus import open_corpus
    from lvm_core.data_config import DataConfig
    from lvm_core.dataset import build_dataset

    data = build_dataset(open_corpus("kalman"), DataConfig(seed=0, max_context=8, num_queries=600))
    config = replace(CONFIG, num_sequences=2000, batch_size=64, num_negatives=56, max_steps=150, eval_interval=50)
    trainer, _ = run(data, config, ModelConfig(dim=64, hidden_dim=64))
    hit = trainer.evaluator.measure(trainer.restore_best(), "test").hit_at(5)
    task = BaselineTask(data, 4)
    assert last_vector(task).test.hit_at(5) + 0.2 < hit < oracle(task).test.hit_at(5)


def test_gathering_never_holds_more_than_a_micro_batch_of_windows(small_data):
    trainer = Trainer(small_data, MODEL, replace(CONFIG, num_sequences=400, micro_batch_size=4), seed=1)
    sizes = []
    gather = trainer.source.gather
    trainer.source.gather = lambda rows: sizes.append(rows.size) or gather(rows)
    trainer.train_step()
    assert max(sizes) == 32  # the batch's targets; a micro-batch of contexts is 4 * 4 rows


def test_saved_weights_load_in_a_fresh_model_and_damaged_ones_are_refused(small_data, tmp_path):
    trainer, _ = run(small_data, replace(CONFIG, max_steps=10))
    write_folder(tmp_path / "saved", model_files(trainer.best_weights, MODEL, {"trial_id": "x"}))
    model, facts = load_model(tmp_path / "saved")
    assert facts["trial_id"] == "x"
    context = torch.nn.functional.normalize(torch.randn(3, 4, 16), dim=-1)
    assert torch.equal(model(context), trainer.restore_best().eval()(context))
    weights = tmp_path / "saved" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(InputError, match="must have readable model"):
        load_model(tmp_path / "saved")
    write_folder(tmp_path / "saved", encode({"a": torch.zeros(2)}, {"model": {"dim": 16}}))
    with pytest.raises(InputError, match="must fit their config"):
        load_model(tmp_path / "saved")


def test_bfloat16_runs_and_learns_close_to_float32(small_data):
    exact, _ = run(small_data, replace(CONFIG, max_steps=20))
    rough, _ = run(small_data, replace(CONFIG, max_steps=20, precision="bfloat16"))
    assert rough.best.validation.cosine == pytest.approx(exact.best.validation.cosine, abs=0.02)


def test_auto_selects_an_available_device_and_a_missing_one_is_refused():
    assert resolve_device("auto") in ("cpu", "cuda", "mps")
    assert resolve_precision("float32", "cpu") == "float32"
    assert resolve_precision("auto", "cpu") in ("float32", "bfloat16")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="the device must be one of cpu here, but got cuda"):
            resolve_device("cuda")
