"""Propose the candidates of a study: one list of configurations, tried in this order by every cell."""

import logging
import math
from collections.abc import Callable, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from lvm_core.seeds import child_seed
from study.records.manifest import Params
from study.space.recipe import Recipe
from study.space.sections import Domain
from study.space.space import Space

NUM_STARTUP = 3  # candidates before the model's first: the points to evaluate, then random ones
MAX_REPEATS = 100  # random draws of known candidates in a row until a space counts as exhausted

logging.getLogger("optuna").setLevel(logging.WARNING)
optuna.logging.set_verbosity(optuna.logging.WARNING)


def model(seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler that proposes candidates once the first ones have been tried.

    Chosen among others at equal cost: benchmarks/RESULTS.md, "Search for candidates".
    """
    return optuna.samplers.GPSampler(seed=seed, n_startup_trials=1)


def first_candidates(space: Space) -> list[Params]:
    """Return the candidates that need no result: the points to evaluate, then random ones up to NUM_STARTUP."""
    found: list[Params] = []
    for number in range(len(space.points_to_evaluate)):
        point = space.point_params(number)
        found += [point] if point not in found else []
    while len(found) < NUM_STARTUP and (drawn := _random_candidate(space, found)) is not None:
        found.append(drawn)
    return found


def most_candidates(space: Space) -> int:
    """Return the length that the list can have: `racing.num_samples`, or all configurations where they are fewer."""
    return min(space.racing.num_samples, math.prod(map(_num_values, _distributions(space).values())))


def next_candidate(
    space: Space,
    tried: Sequence[Params],
    scores: Sequence[float],
    make_sampler: Callable[[int], optuna.samplers.BaseSampler] = model,
) -> Params | None:
    """Return the candidate after `tried`, or None if the space has no other.

    scores: of the first candidates; those without one are still running. The candidate depends on nothing but the
    seed, the candidates before it and these scores.
    """
    domains = _distributions(space)
    sampler = make_sampler(child_seed(space.seed, "candidate", len(tried)) % 2**32)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for params, score in zip(tried, scores, strict=False):
        study.add_trial(optuna.trial.create_trial(value=score, params=params, distributions=domains))
    for params in tried[len(scores) :]:
        running = optuna.trial.create_trial(state=TrialState.RUNNING, params=params, distributions=domains)
        study.add_trial(running)
    proposed = study.ask(domains).params
    return proposed if proposed not in tried else _random_candidate(space, tried)


def _random_candidate(space: Space, known: Sequence[Params]) -> Params | None:
    """Draw a candidate that is not known yet, or None after MAX_REPEATS known ones."""
    sampler = optuna.samplers.RandomSampler(seed=child_seed(space.seed, "random candidate", len(known)) % 2**32)
    study = optuna.create_study(sampler=sampler)
    draws = (study.ask(_distributions(space)).params for _ in range(MAX_REPEATS))
    return next((drawn for drawn in draws if drawn not in known), None)


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    return {key: _distribution(key, domain) for key, domain in space.search.items()}


def _num_values(domain: BaseDistribution) -> float:
    if isinstance(domain, CategoricalDistribution):
        return len(set(domain.choices))
    return domain.high - domain.low + 1 if isinstance(domain, IntDistribution) else math.inf


def _distribution(key: str, domain: Domain) -> BaseDistribution:
    """Return a domain as an Optuna distribution; values that are integers in the recipe are drawn as integers."""
    if domain.choices is not None:
        return CategoricalDistribution(domain.choices)
    if Recipe.model_fields[key].annotation is int:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)
