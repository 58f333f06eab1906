"""The published protocol: its windows, pools, epochs and negatives, and the effects it shows where there are none."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import last_vector
from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import build_dataset
from lvm_core.errors import InputError
from lvm_core.losses import losses, negative_mask
from lvm_core.models import ModelConfig
from lvm_core.models.size import count_parameters, hidden_dim_for
from lvm_core.ranks import chance_hit_at_k, hit_at_k_in_pool
from lvm_core.schedule import next_evaluation
from lvm_core.train_config import TrainConfig
from lvm_core.trainer import Trainer
from lvm_core.window_split import longest_context, split_windows, window_counts
from lvm_core.windows import Stream
from study.space.recipe import Recipe
from tests.conftest import save_npz

PUBLISHED_VECTORS = 637_997
PUBLISHED = {100: (11_482, 10_333, 1_149), 500: (2_295, 2_065, 230), 1000: (1_146, 1_031, 115), 2000: (572, 514, 58)}
AS_REPORTED = {"split": "window", "boundary": "stream", "overlap": "half", "num_queries": None}


@pytest.mark.parametrize(("context_length", "counts"), PUBLISHED.items())
def test_the_published_windows_and_pools_are_reproduced_exactly(context_length, counts):
    stream = Stream(np.arange(PUBLISHED_VECTORS), np.zeros(PUBLISHED_VECTORS, np.int64))
    positions = stream.half_overlapping(stream.eligible(context_length, "stream"), context_length)
    train, validation = split_windows(positions, seed=0)
    assert (len(train) + len(validation), len(train), len(validation)) == counts
    assert window_counts(PUBLISHED_VECTORS, context_length) == counts[1:]
    assert not set(train) & set(validation)
    assert set(np.diff(positions)) == {context_length // 2}


def test_contexts_scale_to_a_smaller_corpus_and_keep_the_published_numbers_of_windows():
    assert longest_context(PUBLISHED_VECTORS, 2000, 514, 58) == 2000
    assert longest_context(10 * PUBLISHED_VECTORS, 2000, 514, 58) == 2000
    scaled = [longest_context(112_646, c, n, q) for c, (_, n, q) in PUBLISHED.items()]
    assert scaled == [16, 88, 176, 352]
    for context, (_, train, validation) in zip(scaled, PUBLISHED.values(), strict=True):
        counts = window_counts(112_646, context)
        assert counts[0] >= train and counts[1] >= validation
    assert longest_context(500, 100, 10_333, 1_149) is None


def test_validation_windows_overlap_training_windows_and_the_audit_counts_them(small_corpus):
    data = build_dataset(small_corpus, DataConfig(seed=0, max_context=8, **AS_REPORTED))
    audit = data.audit()
    rows = {int(r) for p in data.train_positions for r in (*data.train.context_rows(np.array([p]), 8)[0], p)}
    targets = set(data.queries["validation"].target_rows.tolist())
    assert audit.num_leaked_targets == len(targets & rows) > 0.8 * len(targets)
    assert audit.num_vectors_in_training_windows == len(rows)
    assert data.queries["test"] is data.queries["validation"]
    assert data.queries["test"].candidate_rows.tolist() == data.queries["test"].target_rows.tolist()


def evaluated_epochs(hits: list[float], steps_per_epoch: int = 7, patience: int = 3) -> list[int]:
    """Return the epochs that a trainer evaluates, given the Hit@5 of each evaluation."""
    config = TrainConfig(
        context_length=4, num_sequences=10, max_steps=50 * steps_per_epoch, steps_per_epoch=steps_per_epoch
    )
    step, best, epochs = 0, 0, []
    while (due := next_evaluation(config, step, improved=best == len(epochs))) is not None:
        step = due
        epochs.append(step // steps_per_epoch)
        assert step % steps_per_epoch == 0
        if len(epochs) == 1 or hits[len(epochs) - 1] > max(hits[: len(epochs) - 1]):
            best = len(epochs)
        if len(epochs) - best >= patience:
            break
    return epochs


@pytest.mark.parametrize(
    ("phase", "hits", "epochs"),
    [
        ("1 and 3", [0.4, 0.5, 0.55, 0.59, 0.58, 0.58, 0.58], [1, 6, 11, 16, 21, 22, 23]),
        ("2", [0.5, 0.6, 0.61, 0.63, 0.665, 0.66, 0.66, 0.66], [1, 6, 11, 16, 21, 26, 27, 28]),
        ("2B", [0.6, 0.65, 0.665, 0.66, 0.66, 0.665], [1, 6, 11, 16, 17, 18]),
        ("3.5", [0.62, 0.6, 0.62, 0.61], [1, 6, 7, 8]),
        ("a gain at a recheck", [0.5, 0.4, 0.6, 0.5, 0.5, 0.5], [1, 6, 7, 11, 12, 13]),
        ("always better", [i / 100 for i in range(50)], [1, 6, 11, 16, 21, 26, 31, 36, 41, 46]),
    ],
)
def test_evaluations_fall_on_the_published_epochs_and_stop_where_the_published_runs_did(phase, hits, epochs):
    assert evaluated_epochs(hits) == epochs


def test_an_epoch_schedule_becomes_steps_and_negatives_come_from_the_micro_batch():
    recipe = Recipe(epochs=50, negatives_from="micro_batch").for_cell(500, 2065, dim=16)
    config = recipe.training_part(500, 2065, patience=3)
    assert (config.steps_per_epoch, config.max_steps, config.warmup_steps, config.eval_interval) == (8, 400, 8, 40)
    assert (config.negatives_within, config.num_negatives, config.batch_size) == (16, 15, 256)
    micro = {c: Recipe(negatives_from="micro_batch").for_cell(c, 999, 16).num_negatives for c in PUBLISHED}
    assert micro == {100: 31, 500: 15, 1000: 7, 2000: 3}


def test_a_real_run_evaluates_at_the_published_epochs(small_corpus):
    data = build_dataset(small_corpus, DataConfig(seed=0, max_context=8, **AS_REPORTED))
    recipe = Recipe(epochs=50, negatives_from="micro_batch", batch_size=64, hidden_dim=8, learning_rate=1e-2)
    recipe = recipe.model_copy(update={"device": "cpu", "precision": "float32"}).for_cell(8, 300, 16)
    config = recipe.training_part(8, 300, patience=3)
    trainer = Trainer(data, recipe.model_part(16), config, seed=1)
    evaluations = list(trainer.run())
    hits = [e.validation.hit_at(5) for e in evaluations]
    epoch = config.steps_per_epoch
    assert [e.step // epoch for e in evaluations] == evaluated_epochs(hits, epoch)


def test_published_negatives_come_from_the_micro_batch_alone_however_the_batch_is_split():
    generator = torch.Generator().manual_seed(0)
    targets = torch.nn.functional.normalize(torch.randn(24, 8, generator=generator), dim=-1)
    prediction = torch.nn.functional.normalize(torch.randn(24, 8, generator=generator), dim=-1)
    ids = torch.arange(24)
    ids[9] = ids[8]  # a repeated target in a micro-batch is not its own negative
    settings = {"weights": {"mse": 1.0, "cosine": 0.5, "infonce": 0.1}, "temperature": 0.07}
    for first in (0, 8, 16):
        rows, alone = slice(first, first + 8), slice(0, 8)
        found = losses(prediction[rows], targets, ids, rows, num_negatives=7, negatives_within=8, **settings)
        if first != 8:
            own = losses(prediction[rows], targets[rows], ids[rows], alone, num_negatives=7, **settings)
            assert found.total.item() == pytest.approx(own.total.item(), rel=1e-6)
    counts = negative_mask(ids, slice(0, 24), 7, negatives_within=8).sum(1).tolist()
    assert counts == [7] * 8 + [6, 6] + [7] * 14
    whole = losses(prediction, targets, ids, slice(0, 24), num_negatives=7, negatives_within=8, **settings)
    halves = [
        losses(prediction[rows], targets, ids, rows, num_negatives=7, negatives_within=8, **settings)
        for rows in (slice(0, 12), slice(12, 24))
    ]
    assert whole.total.item() == pytest.approx(sum(half.total.item() for half in halves) / 2, rel=1e-6)


def test_selecting_by_loss_keeps_the_evaluation_with_the_lowest_loss(small_data):
    config = TrainConfig(
        context_length=4, num_sequences=100, learning_rate=5e-2, batch_size=32, num_negatives=26, max_steps=60,
        warmup_steps=5, eval_interval=10, patience=9, select_by="loss",
    )  # fmt: skip
    trainer = Trainer(small_data, ModelConfig(dim=16, hidden_dim=8), config, seed=1)
    found = [e.validation.loss for e in trainer.run()]
    assert trainer.best.validation.loss == min(found)


def test_raw_predictions_reach_the_losses_only_if_normalisation_is_off(small_data):
    config = TrainConfig(context_length=4, num_sequences=100, batch_size=32, num_negatives=26, max_steps=10)
    unit, raw = (
        Trainer(
            small_data, ModelConfig(dim=16, hidden_dim=8), replace(config, normalize_loss=flag), seed=1
        ).train_step()
        for flag in (True, False)
    )
    assert unit[1] != raw[1] and unit[3] != raw[3]
    assert unit[2] == pytest.approx(raw[2], rel=1e-5), "cosine ignores the norm"


@pytest.mark.parametrize("model", ["gru", "hierarchical_gru", "memory_gru", "transformer"])
def test_every_architecture_has_the_requested_parameters_within_two_percent(model):
    config = ModelConfig(dim=64, model=model, num_layers=1)
    found = count_parameters(config, hidden_dim_for(config, 150_000))
    assert abs(found - 150_000) <= 3_000
    assert Recipe(model=model, num_parameters=150_000).for_cell(4, 100, 64).hidden_dim == hidden_dim_for(
        config, 150_000
    )
    with pytest.raises(InputError, match="num_parameters within 2 %"):
        hidden_dim_for(config, 10)


@pytest.fixture(scope="module")
def random_corpus(tmp_path_factory):
    """Independent random vectors: nothing can be predicted."""
    vectors = np.random.default_rng(0).standard_normal((6000, 16)).astype(np.float32)
    return open_corpus(save_npz(tmp_path_factory.mktemp("r") / "random.npz", vectors, np.repeat(np.arange(100), 60)))


@pytest.fixture(scope="module")
def last_only_corpus(tmp_path_factory):
    """A random walk on the sphere: the next vector depends on the last one alone."""
    rng = np.random.default_rng(1)
    vectors = np.empty((150, 60, 32), np.float32)
    state = rng.standard_normal((150, 32))
    for t in range(60):
        state = state / np.linalg.norm(state, axis=1, keepdims=True) + 0.5 * rng.standard_normal(state.shape)
        vectors[:, t] = state
    path = tmp_path_factory.mktemp("l") / "last.npz"
    return open_corpus(save_npz(path, vectors.reshape(-1, 32), np.repeat(np.arange(150), 60)))


def measured(corpus, protocol: str, context: int, max_context: int, num_sequences: int | None):
    """Train a small model under a protocol and return its test measurement."""
    reported = protocol == "as_reported"
    chosen = {"max_context": context, **AS_REPORTED} if reported else {"max_context": max_context, "num_queries": 600}
    data = build_dataset(corpus, DataConfig(seed=0, **chosen))
    recipe = Recipe(
        hidden_dim=16, device="cpu", precision="float32", learning_rate=3e-3, batch_size=64, num_negatives=40
    )
    schedule = {"epochs": 12, "negatives_from": "micro_batch"} if reported else {"max_steps": 60, "eval_interval": 20}
    size = len(data.train_positions) if num_sequences is None else num_sequences
    recipe = Recipe(**{**recipe.model_dump(), **schedule}).for_cell(context, size, corpus.dim)
    trainer = Trainer(data, recipe.model_part(corpus.dim), recipe.training_part(context, size, 3), seed=1)
    list(trainer.run())
    return trainer.evaluator.measure(trainer.restore_best(), "test")


@pytest.mark.parametrize("protocol", ["controlled", "as_reported"])
def test_both_protocols_report_chance_at_any_pool_on_independent_random_vectors(random_corpus, protocol):
    for context in (2, 8):
        found = measured(random_corpus, protocol, context, 8, None if protocol == "as_reported" else 1000)
        count = len(found.rank)
        for pool in (count, 100, 30):
            hits = hit_at_k_in_pool(found.rank, found.num_ties, 5, count, pool)
            chance = chance_hit_at_k(5, pool)
            error = max(hits.std(ddof=1), np.sqrt(chance * (1 - chance))) / np.sqrt(count)
            # 4 standard errors: as_reported measures on the queries that selected its epoch, the best of a few
            assert abs(hits.mean() - chance) < 4 * error, (context, pool)


def test_as_reported_gains_from_context_where_only_the_last_vector_matters_and_controlled_does_not(last_only_corpus):
    reported = [measured(last_only_corpus, "as_reported", c, 32, None) for c in (4, 32)]
    controlled = [measured(last_only_corpus, "controlled", c, 32, 500) for c in (4, 32)]
    reported_gain = reported[1].hit_at(5) - reported[0].hit_at(5)
    assert reported_gain > 0.15, "the pool shrinks from hundreds to tens"
    paired = [np.clip(6 - m.rank, 0, 1).astype(float) for m in controlled]
    difference = paired[1] - paired[0]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    assert difference.mean() < 2 * error, "controlled: same queries, same pool, no gain"
    at_equal_pool = [
        hit_at_k_in_pool(m.rank, m.num_ties, 5, len(m.rank), len(reported[1].rank)).mean() for m in reported
    ]
    assert at_equal_pool[1] - at_equal_pool[0] < 0.5 * reported_gain


def test_training_free_baselines_show_the_published_law_too(last_only_corpus):
    hits = []
    for context in (4, 32):
        data = build_dataset(last_only_corpus, DataConfig(seed=0, max_context=context, **AS_REPORTED))
        hits.append(last_vector(BaselineTask(data, context)).test.hit_at(5))
    assert hits[1] > hits[0] + 0.1, "the published law appears without a model"


def test_a_published_trial_records_its_protocol(tmp_path, small_corpus):
    from study.plan.plan import make_plan
    from tests.plan.test_space_and_plan import load

    space = load(tmp_path, ["protocol=as_reported"])
    plan = make_plan("s", space, small_corpus)
    specs = [plan.spec(cell, "confirm", 1, {}) for cell in plan.cells]
    assert {spec.protocol for spec in specs} == {"as_reported"}
    assert {spec.context_length: spec.data["max_context"] for spec in specs} == {1: 1, 4: 4}
    assert specs[0].recipe["num_negatives"] == 31 and specs[0].recipe["epochs"] == 50
    assert SimpleNamespace(**specs[0].data).split == "window"
