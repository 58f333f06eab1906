"""Baselines against direct computations on the same queries."""

import numpy as np
import pytest

from lvm_core.baseline_task import BaselineTask
from lvm_core.baselines import context_ema, context_mean, fit_ridge, last_vector, nearest_window, ridge
from lvm_core.vectors import unit


@pytest.fixture(scope="module")
def task(small_data):
    return BaselineTask(small_data, 4)


def contexts(data, part="test"):
    queries = data.queries[part]
    return np.take(data.corpus.vectors, queries.stream.context_rows(queries.positions, 4), axis=0)


def ranks(data, prediction, part="test"):
    pool = data.queries[part].pool(data.corpus.vectors)
    return pool.rank_targets(unit(prediction), np.arange(len(prediction)))[0].tolist()


def test_last_vector_and_mean_match_a_direct_computation(small_data, task):
    assert last_vector(task).test.rank.tolist() == ranks(small_data, contexts(small_data)[:, -1])
    mean = context_mean(task).test.rank
    assert np.mean(mean == ranks(small_data, contexts(small_data).mean(1))) > 0.99  # sums differ in the last bit


def test_the_decay_of_the_exponential_average_is_chosen_on_validation(small_data, task):
    result = context_ema(task)
    decay = result.setting["decay"]
    weights = decay ** np.arange(3, -1, -1.0)
    prediction = np.einsum("c,bcd->bd", weights, contexts(small_data, "validation"))
    assert np.mean(result.validation.rank == ranks(small_data, prediction, "validation")) > 0.99
    for other in (0.5, 0.95):
        again = task.measure(
            "validation", lambda q, s: task.average(q.stream, q.positions, s["decay"]), {"decay": other}
        )
        assert again.hit_at(5) <= result.validation.hit_at(5)


def test_ridge_solves_the_normal_equations_in_both_forms():
    rng = np.random.default_rng(0)
    for rows, columns in ((50, 8), (8, 50)):
        features, targets = rng.standard_normal((rows, columns)), rng.standard_normal((rows, 3))
        expected = np.linalg.solve(features.T @ features + 2.0 * np.eye(columns), features.T @ targets)
        assert fit_ridge(features, targets, (2.0,))[2.0] == pytest.approx(expected, abs=1e-5)


def test_trained_baselines_beat_the_free_ones_on_a_rotating_process(task):
    free = last_vector(task).test.hit_at(5)
    fitted = ridge(task, num_sequences=600, seed=1)
    assert fitted.test.hit_at(5) > free
    assert fitted.setting["lags"] <= 4
    assert ridge(task, num_sequences=600, seed=1).test.rank.tolist() == fitted.test.rank.tolist()


def test_the_nearest_window_of_a_training_window_is_itself(small_data, task):
    size = len(small_data.train_positions)
    result = nearest_window(task, size, seed=1)
    average = task.average(small_data.train, small_data.train_positions, 0.7)
    assert (average @ average.T).argmax(1).tolist() == list(range(size))
    assert 0 <= result.test.hit_at(5) <= 1
