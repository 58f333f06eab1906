"""Planted laws and optima are recovered; a law is named only where the map decides between the laws."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from study.analysis.best_context import best_context
from study.analysis.hit_map import HitMap
from study.analysis.law import CannotTell, exponents_of, fit_law
from study.analysis.law_comparison import held_out_cells, largest_cells
from study.analysis.law_fit import fit, maximise, refit
from study.analysis.law_forms import FORMS, Axes, Form, squeeze, unsqueeze
from study.analysis.law_misfit import misfit, weight_of
from study.analysis.law_starts import starts
from study.analysis.windows import TrainingPart
from tests.analysis.test_statistics import hits_of
from tests.planted import LAWS, POOL, cells, planted_map

SEEDS = range(4)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_law_without_noise_is_recovered_to_four_digits(form):
    values = {"m": 0.4, "a": 0.5, "tau": 0.3, "b": 0.3, "A": 0.8, "B": 0.5, "d": 0.05, "ceiling": 1.0}
    if form.kind in ("sum", "exp"):
        values |= {key: unsqueeze(values[key], 0, 3) for key in ("a", "b")}
    theta = np.array([values[name] for name in form.names])
    context, size = np.array(cells()).T
    axes = Axes.of(context, size, 5 / POOL)
    rate = form.predict(theta, axes)
    hit_map = HitMap(context, size, tuple(np.full(3, r) for r in rate), np.tile(rate, (20, 1)), 10_000, 50, 5 / POOL)
    fitted = fit(form, hit_map)
    assert fitted.predict(context, size) == pytest.approx(rate, abs=1e-4)
    assert fitted.converged


def test_fisher_scoring_finds_the_optimum_of_a_general_optimiser():
    hit_map = planted_map(LAWS["sum"], seed=1)
    form, y, weight = Form("sum"), hit_map.mean, weight_of(hit_map)
    fitted = fit(form, hit_map)

    def lost(theta):
        rate = form.predict(theta, fitted.axes)
        return -(weight * (y * np.log(rate) + (1 - y) * np.log(1 - rate))).sum()

    start = starts(form, fitted.axes, y)[4]
    found = minimize(lost, start, method="Nelder-Mead", options={"maxiter": 20_000, "maxfev": 20_000, "fatol": 1e-9})
    assert lost(fitted.theta) <= found.fun + 1e-4
    assert form.predict(fitted.theta, fitted.axes) == pytest.approx(form.predict(found.x, fitted.axes), abs=2e-4)


def test_problems_solved_together_have_the_solutions_of_each_alone():
    hit_map = planted_map(LAWS["odds"], seed=2)
    form, weight = Form("odds"), weight_of(hit_map)
    fitted = fit(form, hit_map)
    together = refit(fitted, hit_map.resampled[:5], weight)
    for theta, y in zip(together, hit_map.resampled, strict=False):
        alone, _, converged = maximise(form, fitted.axes, y[None], weight, fitted.theta[None])
        assert converged.all()
        assert theta == pytest.approx(alone[0], abs=1e-6)


def test_squeeze_inverts_unsqueeze():
    assert squeeze(np.array(unsqueeze(0.7, 0.2, 1.0)), 0.2, 1.0) == pytest.approx(0.7)


@pytest.mark.parametrize("name", LAWS)
def test_planted_exponents_are_in_their_intervals(name):
    """On four studies per law; the benchmark runs 200."""
    planted, covered = LAWS[name], []
    truth = planted.form.natural(planted.theta, planted.axes)
    for seed in SEEDS:
        hit_map = planted_map(planted, seed)
        fitted = fit(planted.form, hit_map)
        found = exponents_of(fitted, refit(fitted, hit_map.resampled[:200], weight_of(hit_map))).set_index("parameter")
        covered += [found.low[key] <= value <= found.high[key] for key, value in truth.items()]
    assert np.mean(covered) >= 0.75


def test_the_law_that_was_planted_is_chosen():
    chosen = [fit_law(planted_map(LAWS["sum"], seed)).chosen.form.name for seed in SEEDS]
    assert chosen.count("sum") >= 3


def test_misfit_detects_a_law_of_the_wrong_form():
    hit_map = planted_map(LAWS["sum"], seed=0)
    assert misfit(fit(Form("odds", context=False), hit_map), hit_map) < 0.01
    assert misfit(fit(Form("sum"), hit_map), hit_map) > 0.01


def test_a_law_contains_those_that_fix_some_of_its_parameters():
    assert Form("odds", free_ceiling=True).contains(Form("odds", context=False))
    assert not Form("odds").contains(Form("odds", free_ceiling=True))
    assert not Form("sum").contains(Form("log"))


def test_a_law_of_another_kind_that_is_nearly_as_likely_is_a_rival():
    law = fit_law(planted_map(LAWS["sum"], seed=0))
    assert law.rivals == [], "the sigmoid of a sum is far from any other law"
    others = replace(law.chosen, form=Form("odds"), log_likelihood=law.chosen.log_likelihood - 1)
    comparison = law.comparison.assign(in_the_race=law.comparison.form.isin(["odds", "sum"]), misfit_p=0.5)
    assert replace(law, fits=(law.chosen, others), comparison=comparison).rivals == ["odds"]


def test_a_law_that_misses_the_left_out_cells_is_not_relied_on():
    """Hit@5 rises up to C=16 and falls at C=64, which is left out of the fit."""
    context = np.array([c for c, _ in cells()])
    shape = LAWS["odds"].hit_at_5 - 0.25 * (context == 64)
    law = fit_law(planted_map(shape, seed=1))
    assert not (law.fits_the_data and law.predicts)
    assert fit_law(planted_map(LAWS["sum"], seed=0)).predicts


def test_the_largest_cells_are_held_out_and_predicted():
    hit_map = planted_map(LAWS["sum"], seed=0)
    left_out = largest_cells(hit_map)
    assert left_out.sum() == 4 + 7 - 1
    law = fit_law(hit_map)
    assert len(law.held_out) == 10
    assert (law.held_out.predicted - law.held_out.measured).abs().max() < 0.06
    assert law.comparison.chosen.sum() == 1


def test_the_optimum_of_a_corpus_lies_in_its_interval():
    planted, covered = LAWS["sum"], 0
    for seed in SEEDS:
        found = best_context(fit_law(planted_map(planted, seed)), TrainingPart.of_vectors(100_000))
        rates = planted.form.predict(
            planted.theta, planted.axes.at(found.line.context_length, found.line.num_sequences)
        )
        truth = found.line.context_length[int(np.argmax(rates))]
        covered += found.best[1] <= truth <= found.best[2]
    assert covered >= 3


def test_more_data_and_an_unmeasured_n_are_marked_as_projections():
    found = best_context(fit_law(planted_map(LAWS["sum"], 0)), TrainingPart.of_vectors(20_000))
    assert found.growth.factor.tolist() == [1, 2, 5, 10]
    assert found.growth.projection.tolist()[1:] == [True, True, True]
    short = found.line[found.line.context_length == 1].iloc[0]
    assert short.num_sequences == 19_999
    assert short.projection
    assert found.line.share_best.sum() == pytest.approx(1)


def test_held_out_cells_do_not_influence_their_predictions():
    """Changing the measurements of held-out cells changes the measured column and not the predictions."""
    hit_map = planted_map(LAWS["sum"], seed=0)
    left_out = largest_cells(hit_map)
    runs = tuple(run * 0.5 if out else run for run, out in zip(hit_map.runs, left_out, strict=True))
    changed = replace(hit_map, runs=runs)
    before, after = (held_out_cells(one, [fit(Form("sum"), one)])[2] for one in (hit_map, changed))
    assert after.predicted.to_numpy() == pytest.approx(before.predicted.to_numpy(), abs=1e-3)
    assert after.measured.to_numpy() == pytest.approx(before.measured.to_numpy() / 2)


def test_with_three_sizes_and_contexts_no_cell_is_held_out_and_aicc_selects_the_law():
    law = fit_law(hits_of({(c, n): 0.2 + 0.1 * np.log10(n) for c in (1, 4, 16) for n in (100, 400, 1600)}))
    assert law.held_out.empty
    assert law.predicts, "no cell could be left out, and none contradicts it"
    fitting = law.comparison[law.comparison.misfit_p >= 0.01]
    assert law.chosen.form.name == fitting.form[fitting.aicc.idxmin()]


@pytest.mark.parametrize(
    ("rates", "replicates", "message"),
    [
        ({(c, n): 0.3 + n / 9000 for c in (1, 4) for n in (100, 900)}, 3, "at least 6 measured cells and 3 sizes"),
        ({(c, n): 0.3 + n / 9000 for c in (1, 4) for n in (100, 300, 900)}, 1, "2 replicates"),
        ({(c, n): 0.4 for c in (1, 4, 16) for n in (100, 300, 900)}, 3, "do not differ beyond chance"),
    ],
    ids=["few cells", "one replicate", "no spread"],
)
def test_a_law_is_refused_with_a_reason(rates, replicates, message):
    with pytest.raises(CannotTell, match=message):
        fit_law(hits_of(rates, replicates=replicates))


def test_a_study_of_one_context_gets_a_law_without_context():
    law = fit_law(hits_of({(4, n): 0.2 + 0.1 * np.log10(n) for n in (100, 200, 400, 800, 1600, 3200)}))
    assert not law.chosen.form.context
    assert "b" not in set(law.exponents.parameter)
