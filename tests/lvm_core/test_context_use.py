"""How much of its context a model uses: what is replaced, by what, and what that costs where the answer is known."""

import numpy as np
import pytest
import torch

from lvm_core.context_use import context_use, kept_lengths
from lvm_core.devices import VectorSource
from lvm_core.evaluation import Evaluator
from lvm_core.train_config import TrainConfig

C = 8


class Reads(torch.nn.Module):
    """Predicts the mean of some vectors of the context, and keeps what it was shown."""

    def __init__(self, places: slice):
        super().__init__()
        self.places, self.shown = places, []

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        self.shown.append(context.numpy())
        return torch.nn.functional.normalize(context[:, self.places].mean(1), dim=-1)


def use_of(data, model: torch.nn.Module, seed: int = 1) -> dict[int, np.ndarray]:
    config = TrainConfig(context_length=C, num_sequences=20)
    evaluator = Evaluator(data, VectorSource(data.corpus.vectors, "cpu"), config)
    return context_use(evaluator, model, data, seed, evaluator.measure(model, "test"))


@pytest.mark.parametrize(
    ("context_length", "kept"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 4, 5]), (32, [1, 2, 4, 8, 16, 32])]
)
def test_the_kept_lengths_are_powers_of_two_and_the_whole_context(context_length, kept):
    assert kept_lengths(context_length) == kept


def test_a_model_loses_nothing_while_the_vectors_that_it_reads_are_kept(small_data):
    found = use_of(small_data, Reads(slice(-4, None)))
    assert list(found) == [1, 2, 4, 8]
    assert not np.array_equal(found[2], found[4])
    assert np.array_equal(found[4], found[8])


def test_a_model_that_reads_the_oldest_vector_alone_falls_to_chance(small_data):
    found = use_of(small_data, Reads(slice(0, 1)))
    chance = 5 / len(small_data.queries["test"].positions)
    assert found[8].mean() > 3 * chance
    for kept in (1, 2, 4):
        assert found[kept].mean() == pytest.approx(chance, abs=0.04)


def test_the_oldest_vectors_give_way_to_the_same_training_vectors_at_every_length(small_data):
    model = Reads(slice(-1, None))
    use_of(small_data, model)
    queries, vectors = small_data.queries["test"], small_data.corpus.vectors
    whole, one, two, four = (np.concatenate(model.shown).reshape(4, len(queries.positions), C, -1)[i] for i in range(4))
    assert np.array_equal(whole, vectors[queries.stream.context_rows(queries.positions, C)])
    for kept, shown in ((1, one), (2, two), (4, four)):
        assert np.array_equal(shown[:, C - kept :], whole[:, C - kept :])
        assert np.array_equal(shown[:, : C - kept], one[:, : C - kept])
    training = {row.tobytes() for row in vectors[small_data.train.rows]}
    assert {row.tobytes() for row in one[:, :-1].reshape(-1, vectors.shape[1])} <= training
    assert len(np.unique(one[:, 0], axis=0)) > 100, "drawn anew for each query"


def test_the_draw_follows_from_the_seed_of_the_replicate(small_data):
    model = Reads(slice(0, None))
    first, again, other = (use_of(small_data, model, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
