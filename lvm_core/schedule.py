"""When a run is evaluated, and its learning rate at each step. The trainer measures time in optimizer steps alone."""

import math

from lvm_core.train_config import TrainConfig

FINAL_LEARNING_RATE = 0.1  # the cosine schedule ends at a tenth, as published
EPOCHS_BETWEEN = 5  # published: Hit@5 at epochs 1, 6, 11, …


def steps_per_epoch(num_sequences: int, batch_size: int) -> int:
    """Return the optimizer steps of an epoch, at least one. Batches are full, so the number is rounded."""
    return max(1, round(num_sequences / batch_size))


def next_evaluation(config: TrainConfig, step: int, *, improved: bool) -> int | None:
    """Return the step of the evaluation after `step`, or None where none is due within `max_steps`.

    Controlled: every `eval_interval` steps, and on the last step. As published: after epochs 1, 6, 11, … and, where the
    last evaluation did not improve, after the very next epoch. Steps after the last such evaluation are not run, since
    they would never be measured.
    """
    epoch = config.steps_per_epoch
    if epoch is None:
        return min(step + config.eval_interval, config.max_steps) if step < config.max_steps else None
    if improved or step == 0:
        rounds = -(-step // (EPOCHS_BETWEEN * epoch))  # of five epochs; a regular evaluation falls one epoch into each
        due = (1 + EPOCHS_BETWEEN * rounds) * epoch
    else:
        due = step + epoch
    return due if due <= config.max_steps else None


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of a step: a linear warm-up, then a cosine that ends at a tenth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.max_steps - config.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)
