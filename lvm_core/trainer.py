"""Train one model on one cell and yield one evaluation after another. The caller decides when to stop."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from lvm_core.batches import TrainingBatches
from lvm_core.dataset import Dataset
from lvm_core.devices import VectorSource
from lvm_core.errors import DivergedError
from lvm_core.evaluation import Evaluation, Evaluator, Measurement, mean_losses
from lvm_core.loss_terms import LOSS_TERMS
from lvm_core.losses import losses
from lvm_core.models import LatentVectorModel, ModelConfig, build_model
from lvm_core.schedule import decay_after, learning_rate, next_evaluation, planned_decay
from lvm_core.seeds import child_seed
from lvm_core.train_config import TrainConfig

# of the widest activation, as benchmarks/ measured
MICRO_BATCH_BYTES = {"cpu": 60_000_000, "cuda": 1 << 30, "mps": 256 << 20}


def auto_micro_batch(config: TrainConfig, model: ModelConfig) -> int:
    """Return the largest halving of the batch whose widest activation stays within the device's budget."""
    width = config.context_length * max(2 * model.dim, 4 * model.hidden_dim) * 4
    size = config.batch_size
    while size > 1 and size * width > MICRO_BATCH_BYTES[config.device]:
        size = (size + 1) // 2
    return size


class Trainer:
    """One training run. `run` yields evaluations; `best_weights` holds the best weights so far.

    The numbers depend on the dataset, the two configs and `seed` alone, never on global random state or on the caller.
    """

    def __init__(self, dataset: Dataset, model: ModelConfig, config: TrainConfig, seed: int):
        self.config, self.seed = config, seed
        self.source = VectorSource(dataset.corpus.vectors, config.device)
        self.model: LatentVectorModel = build_model(model, child_seed(seed, "weights")).to(config.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.batches = TrainingBatches(dataset, config.num_sequences, config.batch_size, seed)
        self.evaluator = Evaluator(dataset, self.source, config)
        self.micro_batch_size = config.micro_batch_size or auto_micro_batch(config, model)
        self.step = 0
        self.num_evaluations = 0
        self.decay = planned_decay(config)  # of a `wsd` run; brought forward where patience runs out
        self.best: Evaluation | None = None
        self.best_weights: dict[str, torch.Tensor] = {}
        self._best_optimizer: dict[str, Any] = {}  # its state at that evaluation, where a decay may begin there
        self.elapsed_s = 0.0
        self.eval_s = 0.0

    def run(self) -> Iterator[Evaluation]:
        """Train until patience runs out, and a `wsd` run has decayed, or the last step is done.

        The last evaluation has a stop_reason.

        Raises: DivergedError before a step with a non-finite loss or gradient.
        """
        while self.stop_reason() is None:
            started = time.perf_counter()
            last_step = self._next_evaluation()
            terms = [self.train_step() for _ in range(self.step, last_step)]
            evaluation = self.evaluate(terms, started)
            self.elapsed_s += time.perf_counter() - started
            yield evaluation

    def stop_reason(self) -> str | None:
        """Return why training is over, or None."""
        if self.config.schedule == "cosine" and self._is_out_of_patience:
            return "patience"
        if self._next_evaluation() is not None:
            return None
        return "patience" if self.decay.end < self.config.max_steps else "max_steps"

    @property
    def _is_out_of_patience(self) -> bool:
        return self.best is not None and self.num_evaluations - self.best.eval_index >= self.config.patience

    @property
    def _can_bring_decay_forward(self) -> bool:
        return self.config.schedule == "wsd" and self.step < self.decay.start

    def _begin_decay(self) -> None:
        """Return to the best evaluation and decay from there: the steps since then did not help."""
        self.decay = decay_after(self.config, self.step)
        self.model.load_state_dict(self.best_weights)
        self.optimizer.load_state_dict(self._best_optimizer)

    def _next_evaluation(self) -> int | None:
        improved = self.best is not None and self.best.eval_index == self.num_evaluations
        return next_evaluation(self.config, self.step, improved=improved, end=self.decay.end)

    def train_step(self) -> np.ndarray:
        """Do one optimizer step and return the batch means: the total, then each term. [1 + terms] float64."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step, self.decay)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.random.fork_rng(devices=_cuda_devices(self.config.device)):
            torch.manual_seed(child_seed(self.seed, "dropout", self.step))
            terms = self._accumulate()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        if not (np.isfinite(terms).all() and torch.isfinite(norm)):
            raise DivergedError(
                f"the loss is {terms[0]:g} and the gradient norm {float(norm):g} at step {self.step + 1} of "
                f"{self.config.max_steps}; stopped before the step"
            )
        self.optimizer.step()
        self.model.end_step()
        self.step += 1
        return terms

    def _accumulate(self) -> np.ndarray:
        """Add up the gradients of the batch's micro-batches and return the batch means. [1 + terms] float64."""
        config = self.config
        batch = self.batches.batch(self.step)
        targets = self.source.gather(batch.target_rows)
        target_ids = torch.from_numpy(batch.target_rows).to(self.source.device)
        means = np.zeros(1 + len(LOSS_TERMS))
        for start in range(0, config.batch_size, self.micro_batch_size):
            rows = slice(start, min(start + self.micro_batch_size, config.batch_size))
            context = self.source.gather(self.batches.context_rows(batch, rows, config.context_length))
            with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bfloat16"):
                prediction = self.model(context) if config.normalize_loss else self.model.unscaled(context)
            found = losses(
                prediction.float(),
                targets,
                target_ids,
                rows,
                weights=config.loss_weights,
                num_negatives=config.num_negatives,
                temperature=config.temperature,
                negatives_within=config.negatives_within,
                is_unit=config.normalize_loss,
            )
            share = (rows.stop - rows.start) / config.batch_size
            (found.total * share).backward()
            means += share * np.array([float(value.detach()) for value in (found.total, *found.terms.values())])
        return means

    def evaluate(self, train_terms: list[np.ndarray], started: float) -> Evaluation:
        """Measure the model on validation, and keep its weights where they are the best so far."""
        eval_started = time.perf_counter()
        measured = self.evaluator.measure(self.model, "validation")
        self.num_evaluations += 1
        evaluation = Evaluation(
            eval_index=self.num_evaluations,
            step=self.step,
            sequences_seen=self.step * self.config.batch_size,
            learning_rate=learning_rate(self.config, self.step - 1, self.decay),
            train=mean_losses(train_terms),
            validation=measured,
        )
        if self.best is None or self._score(measured) > self._score(self.best.validation):
            self.best = evaluation
            self.best_weights = {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}
            if self._can_bring_decay_forward:
                self._best_optimizer = copy.deepcopy(self.optimizer.state_dict())
        elif self._can_bring_decay_forward and self._is_out_of_patience:
            self._begin_decay()
        evaluation.stop_reason = self.stop_reason()
        now = time.perf_counter()
        self.eval_s += now - eval_started
        evaluation.elapsed_s = self.elapsed_s + now - started
        return evaluation

    def _score(self, measured: Measurement) -> float:
        """Return the score by which evaluations are compared; higher is better."""
        return -measured.loss if self.config.select_by == "loss" else measured.hit_at(5)

    def restore_best(self) -> LatentVectorModel:
        """Load the best weights into the model and return it."""
        self.model.load_state_dict(self.best_weights)
        return self.model


def _cuda_devices(device: str) -> list[int]:
    return [torch.cuda.current_device()] if device == "cuda" else []
