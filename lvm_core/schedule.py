"""When a run is evaluated, when it ends, and its learning rate at each step, all in optimizer steps."""

import math
from dataclasses import dataclass

from lvm_core.train_config import TrainConfig

FINAL_LEARNING_RATE = 0.1  # both schedules end at a tenth; the cosine as published
EPOCHS_BETWEEN = 5  # published: Hit@5 at epochs 1, 6, 11, …
DECAY_SHARE = 0.2  # of all steps of a `wsd` run. Source: Hägele et al., arXiv 2405.18392: up to 20 %


@dataclass(frozen=True)
class Decay:
    """The last phase of a `wsd` run, in which the rate falls: the steps start, …, end - 1."""

    start: int
    end: int


def steps_per_epoch(num_sequences: int, batch_size: int) -> int:
    """Return the optimizer steps of an epoch, at least one. Batches are full, so the number is rounded."""
    return max(1, round(num_sequences / batch_size))


def planned_decay(config: TrainConfig) -> Decay:
    """Return the decay of a run whose patience never runs out: it ends with the last step."""
    return Decay(config.max_steps - round(DECAY_SHARE * config.max_steps), config.max_steps)


def decay_after(config: TrainConfig, step: int) -> Decay:
    """Return the decay of a run whose patience has run out after `step` steps: the same share of all its steps.

    It starts from the weights of the best evaluation; see Trainer.
    """
    length = max(1, round(step * DECAY_SHARE / (1 - DECAY_SHARE)))
    return Decay(step, min(step + length, config.max_steps))


def next_evaluation(config: TrainConfig, step: int, *, improved: bool, end: int | None = None) -> int | None:
    """Return the step of the evaluation after `step`, or None where none is due. end: of the run; None: `max_steps`.

    Controlled: every `eval_interval` steps, and on the last step. As published: after epochs 1, 6, 11, … and, where the
    last evaluation did not improve, after the very next epoch. Steps after the last such evaluation are not run, since
    they would never be measured; a `wsd` run has one more evaluation instead, at the end of its decay.
    """
    end = config.max_steps if end is None else end
    if step >= end:
        return None
    epoch = config.steps_per_epoch
    if epoch is None:
        return min(step + config.eval_interval, end)
    if improved or step == 0:
        rounds = -(-step // (EPOCHS_BETWEEN * epoch))  # of five epochs; a regular evaluation falls one epoch into each
        due = (1 + EPOCHS_BETWEEN * rounds) * epoch
    else:
        due = step + epoch
    if due > end:
        return end if config.schedule == "wsd" else None
    return due


def learning_rate(config: TrainConfig, step: int, decay: Decay | None = None) -> float:
    """Return the learning rate of a step: a linear warm-up, then what the schedule says, down to a tenth.

    cosine: it falls from the warm-up on. wsd: it stays at its peak until the decay, whose form is 1 - sqrt.
    decay: of a `wsd` run; None: the planned one. Sources: warm-up-stable-decay, Hu et al., arXiv 2404.06395; 1 - sqrt,
    Hägele et al., arXiv 2405.18392.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "wsd":
        left = _left_by_wsd(step, decay or planned_decay(config))
    else:
        progress = (step - config.warmup_steps) / max(1, config.max_steps - config.warmup_steps)
        left = 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * left)


def _left_by_wsd(step: int, decay: Decay) -> float:
    """Return the share of the fall that is left at a step: 1 before the decay, 0 on its last step."""
    if step < decay.start:
        return 1.0
    return 1 - math.sqrt((step + 1 - decay.start) / (decay.end - decay.start))
