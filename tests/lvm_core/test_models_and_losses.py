"""One contract that every model passes, and the losses against values worked out by hand."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from lvm_core.loss_terms import LossInputs, infonce
from lvm_core.losses import losses, negative_mask
from lvm_core.models import MODELS, ModelConfig, build_model
from lvm_core.models.memory_gru import MemoryGRU
from lvm_core.train_config import TrainConfig

every_model = pytest.mark.parametrize("name", MODELS)
every_anchor = pytest.mark.parametrize("anchor", ["last", "ema"])


def config(name: str, **changes) -> ModelConfig:
    values = {"dim": 12, "hidden_dim": 16, "num_layers": 2, "num_slots": 5, "chunk_length": 4, "dropout": 0.0}
    return ModelConfig(model=name, **{**values, **changes})


def contexts(batch: int = 6, length: int = 10) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(batch, length, 12, generator=generator), dim=-1)


@every_model
@every_anchor
@pytest.mark.parametrize("length", [1, 4, 10])
def test_a_model_predicts_finite_unit_vectors_for_every_context_length(name, anchor, length):
    prediction = build_model(config(name, anchor=anchor), seed=0)(contexts(length=length))
    assert prediction.shape == (6, 12)
    assert torch.allclose(prediction.norm(dim=-1), torch.ones(6), atol=1e-5)


@every_model
@every_anchor
def test_every_parameter_gets_a_gradient_except_the_write_head_of_the_bank(name, anchor):
    model = build_model(config(name, anchor=anchor), seed=0)
    (model(contexts()) * torch.randn(6, 12, generator=torch.Generator().manual_seed(1))).sum().backward()
    idle = {key for key, value in model.named_parameters() if value.grad is None or not value.grad.any()}
    assert idle == ({"core.write.weight", "core.write.bias"} if name == "memory_gru" else set())


@every_model
def test_weights_depend_on_the_seed_alone(name):
    torch.manual_seed(1)
    first = build_model(config(name), seed=7)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    second = build_model(config(name), seed=7)
    other = build_model(config(name), seed=8)
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state()), "building a model must not touch global random state"
    assert torch.equal(first(contexts()), second(contexts()))
    assert not torch.equal(first(contexts()), other(contexts()))


@every_model
def test_a_query_gets_the_same_prediction_alone_and_in_a_batch(name):
    model = build_model(config(name, dropout=0.5), seed=0).eval()
    together = model(contexts())
    assert torch.allclose(model(contexts()[2:3])[0], together[2], atol=1e-6)


@every_model
def test_flops_match_the_count_of_pytorch(name):
    model = build_model(config(name), seed=0).train()
    with FlopCounterMode(display=False) as counter:
        model(contexts(batch=1))
    assert model.train_flops_per_sequence(10) == 3 * counter.get_total_flops()


def test_the_published_memory_gru_has_its_published_number_of_parameters():
    published = ModelConfig(dim=768, model="memory_gru", hidden_dim=512, num_layers=4, num_slots=2048)
    assert build_model(published, seed=0).num_parameters() == 11_292_160


def test_the_bank_is_updated_once_a_step_however_the_batch_is_split():
    banks = []
    for num_chunks in (1, 3):
        model = build_model(config("memory_gru"), seed=0).train()
        before = model.core.bank.clone()
        for chunk in contexts().chunk(num_chunks):
            model(chunk)
        model.end_step()
        banks.append(model.core.bank)
    assert not torch.allclose(banks[0], before)
    assert torch.allclose(banks[0], banks[1], atol=1e-6)


def test_the_bank_update_is_nine_tenths_old_and_a_tenth_of_the_mean_outer_product():
    core = MemoryGRU(dim=3, hidden_dim=4, num_layers=1, dropout=0.0, num_slots=2)
    core.bank.fill_(1.0)
    fused, output = torch.zeros(2, 4), torch.tensor([[1.0, 0, 0], [3.0, 0, 2]])
    torch.nn.init.zeros_(core.write.weight)
    torch.nn.init.zeros_(core.write.bias)
    core._gather(fused, output)
    core.end_step()
    assert torch.allclose(core.bank, 0.9 + 0.1 * 0.5 * torch.tensor([[2.0, 0, 1]] * 2))


def test_evaluation_does_not_change_the_bank():
    model = build_model(config("memory_gru"), seed=0).eval()
    model(contexts())
    assert not model.core.written.any()


def test_every_row_has_the_same_number_of_negatives_and_never_its_own_target():
    ids = torch.tensor([4, 8, 4, 4, 9, 8, 7])
    mask = negative_mask(ids, slice(0, 7), num_negatives=4)
    assert mask.sum(1).tolist() == [4] * 7
    assert not (mask & (ids[:, None] == ids)).any()
    assert torch.equal(mask[2:5], negative_mask(ids, slice(2, 5), 4))
    with pytest.raises(ValueError, match="needs 5 negatives, but one has 4"):
        negative_mask(ids, slice(0, 7), 5)


def test_info_nce_of_orthogonal_targets_by_hand():
    targets = torch.eye(4)
    prediction = targets[:1]
    negatives = torch.tensor([[False, True, True, False]])
    expected = torch.log(1 + 2 * torch.exp(torch.tensor(-1 / 0.5)))
    given = LossInputs(prediction, targets, slice(0, 1), negatives, temperature=0.5, is_unit=True)
    assert infonce(given).item() == pytest.approx(expected.item())


def test_the_loss_is_mse_plus_half_cosine_plus_alpha_info_nce():
    targets = F.normalize(torch.randn(8, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
    prediction = targets.roll(1, 0)
    weights = TrainConfig(context_length=4, num_sequences=100, alpha=0.3).loss_weights
    total, terms = losses(
        prediction, targets, torch.arange(8), slice(0, 8), weights=weights, num_negatives=7, temperature=0.07
    )
    cosine = (prediction * targets).sum(1).mean()
    assert terms["mse"].item() == pytest.approx(((prediction - targets) ** 2).mean().item())
    assert terms["cosine"].item() == pytest.approx(1 - cosine.item(), abs=1e-6)
    full = F.cross_entropy(prediction @ targets.T / 0.07, torch.arange(8))
    assert terms["infonce"].item() == pytest.approx(full.item(), rel=1e-5)
    assert total.item() == pytest.approx((terms["mse"] + 0.5 * terms["cosine"] + 0.3 * terms["infonce"]).item())
