"""Search spaces are validated on entry; plans list the cells that a corpus can fill."""

import copy
import json
from dataclasses import replace

import pytest
import yaml

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from study.plan import trial_spec
from study.plan.plan import Cell, make_plan
from study.plan.trial_spec import TrialSpec
from study.space.file import SPACES_DIR, list_spaces, load_space
from study.space.recipe import Recipe
from tests.studies import TINY_SPACE


def load(tmp_path, settings=(), **changes):
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump({**copy.deepcopy(TINY_SPACE), **changes}))
    return load_space(str(path), None, list(settings), {})


def planned(tmp_path, corpus, settings=(), **changes):
    return make_plan("s", load(tmp_path, settings, **changes), corpus)


@pytest.mark.parametrize("preset", ["quick", "laptop", "full"])
@pytest.mark.parametrize("name", list_spaces())
def test_every_space_file_has_three_valid_presets_that_the_embedded_corpus_fills(name, preset):
    space = load_space(name, preset, [], {})
    plan = make_plan(name, space, open_corpus("kalman"))
    assert plan.cells
    # only a quality gate may make a cell infeasible, and the reason shows what it removed
    assert all("the coherence gate at" in cell.reason for cell in plan.infeasible)


def test_the_published_recipe_comes_first_in_every_space_that_searches():
    for name in list_spaces():
        space = load_space(name, None, [], {})
        if space.search:
            assert space.point_params(0)["learning_rate"] == 1e-4
        if "alpha" in space.search:
            assert space.point_params(0)["alpha"] == 0.03


def test_preset_options_and_set_override_each_other_in_this_order():
    space = load_space("scaling", "quick", ["racing.num_samples=9", "cells.num_sequences=[10, 20]"], {"seed": 5})
    assert (space.racing.num_samples, space.racing.grace_period, space.seed) == (9, 2, 5)
    assert space.cells.num_sequences == (10, 20)
    assert space.cells.context_length == (1, 4, 16, 32)
    assert space.fixed["max_steps"] == 240


BAD_SETTINGS = {
    "fixed.learning_rat=1": r"found fixed\.learning_rat \(did you mean learning_rate\?\)",
    "racing.num_sample=3": r"found racing\.num_sample \(did you mean num_samples\?\)",
    "replicats=3": r"found replicats \(did you mean replicates\?\)",
    "cells.context_length=[]": r"cells\.context_length: .*at least 1 item",
    "cells.context_length=[0]": r"cells\.context_length\.0: .*greater than or equal to 1, but got 0",
    "cells.num_sequences=[many]": r"cells\.num_sequences\.0: .*valid integer.*'many'",
    "search.alpha={choices: []}": "must not be empty, but `choices` has no value",
    "search.learning_rate={low: 2, high: 1}": "low 2 is not below high 1",
    "search.learning_rate={low: 0, high: 1, log: true}": "a log domain must be above 0, but low is 0",
    "search.dropout={low: 0.1}": "either `choices`, or both `low` and `high`",
    "search.num_layers={low: 0, high: 8}": r"search\.num_layers: num_layers: .*greater than or equal to 1",
    "search.speed={low: 0, high: 8}": r"found search\.speed",
    "search.hidden_dim={choices: [8]}": "hidden_dim is given twice",
    "fixed.model=lstm": r"fixed: model: .*\(known: gru, hierarchical_gru, memory_gru, transformer\), but got 'lstm'",
    "fixed.model=memry_gru": r"fixed: model: .*name a model \(did you mean memory_gru\?\), but got 'memry_gru'",
    "fixed.dropout=.nan": r"dropout: .*finite",
    "fixed.dropout=1.5": r"dropout: .*less than 1, but got 1\.5",
    "arms.temperature=[]": r"arms\.temperature has no value",
    "arms.device=[cpu, cuda]": r"device must be the same in every trial of a study; set fixed\.device",
    "search.max_steps={low: 10, high: 20}": "max_steps must be the same in every trial",
    "arms.batch_size=[8, 16]": "batch_size must be the same in every trial",
    "points_to_evaluate=[]": "points_to_evaluate: .*at least 1 item",
    "points_to_evaluate=[{learning_rate: 5}]": r"learning_rate = 5.* is outside search\.learning_rate",
    "points_to_evaluate=[{dropout: 0.5}]": "may set searched values only, but sets dropout",
    "data.fractions=[0.5, 0.5, 0.5]": "sum to 1",
    "patience.replay=[]": r"patience\.replay",
    "protocol=fast": "protocol",
    "data=7": "data",
}


@pytest.mark.parametrize(("setting", "message"), BAD_SETTINGS.items())
def test_a_wrong_value_is_refused_with_rule_value_and_place(tmp_path, setting, message):
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path, [setting])
    assert "\n" not in str(caught.value)


def test_unknown_studies_presets_and_malformed_settings_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"but got scalin \(did you mean scaling\?\)"):
        load_space("scalin", None, [], {})
    with pytest.raises(InputError, match="--preset must be one of quick, laptop, full"):
        load_space("scaling", "huge", [], {})
    with pytest.raises(InputError, match="form key=value, but got 'replicates'"):
        load_space("scaling", None, ["replicates"], {})
    broken = tmp_path / "broken.yaml"
    broken.write_text("cells: [1, 2")
    with pytest.raises(InputError, match="must be readable YAML"):
        load_space(str(broken), None, [], {})
    broken.write_text("!!python/object/apply:os.system ['touch /tmp/never']")
    with pytest.raises(InputError, match="must be readable YAML"):
        load_space(str(broken), None, [], {})
    broken.write_text("1: 2")
    with pytest.raises(InputError, match="must have text keys"):
        load_space(str(broken), None, [], {})
    broken.write_text("presets:")
    with pytest.raises(InputError, match="--preset must be one of"):
        load_space(str(broken), "quick", [], {})
    broken.write_text("- a list")
    with pytest.raises(InputError, match="must be a YAML mapping"):
        load_space(str(broken), None, [], {})


def test_a_new_study_takes_a_new_file_and_no_code(tmp_path, small_corpus):
    content = yaml.safe_load((SPACES_DIR / "alpha.yaml").read_text())
    content["arms"] = {"temperature": [0.05, 0.1], "anchor": ["last", "ema"]}
    content["cells"] = {"context_length": [2, 4], "num_sequences": [150]}
    content["search"] |= {"alpha": {"low": 0.01, "high": 1.0}}
    path = tmp_path / "temperature.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    plan = make_plan("t", load_space(str(path), None, ["data.num_queries=100"], {}), small_corpus)
    assert len(plan.cells) == 8
    assert "C2_N150_temperature0.05_anchorema" in {cell.cell_id for cell in plan.cells}


def test_cells_cross_fully_and_infeasible_ones_are_reported_with_the_vectors_they_need(tmp_path, small_corpus):
    cells = {"context_length": [1, 4, 30, 500], "num_sequences": [20, 60, 5000]}
    plan = planned(tmp_path, small_corpus, cells=cells)
    assert [cell.cell_id for cell in plan.cells] == [f"C{c}_N{n}" for c in (1, 4, 30) for n in (20, 60)]
    assert plan.max_context == 30
    needs = {(cell.context_length, cell.num_sequences): cell.num_vectors_needed for cell in plan.infeasible}
    assert set(needs) == {(c, 5000) for c in (1, 4, 30)} | {(500, n) for n in (20, 60, 5000)}
    assert needs[500, 20] is None  # documents of 40 vectors never fill a context of 500
    available = len(plan.dataset.train_positions)
    assert needs[4, 5000] == pytest.approx(small_corpus.num_vectors * 5000 / available, abs=1)


def test_a_corpus_that_fills_no_cell_is_refused(tmp_path, small_corpus):
    with pytest.raises(
        InputError, match=r"must fill at least one cell, but small has .* smallest num_sequences is 9000"
    ):
        planned(tmp_path, small_corpus, cells={"context_length": [4], "num_sequences": [9000]})
    with pytest.raises(InputError, match="must have at least 30 queries"):
        planned(tmp_path, small_corpus, cells={"context_length": [50], "num_sequences": [10]})


def test_negatives_that_the_smallest_cell_cannot_have_are_refused(tmp_path, small_corpus):
    with pytest.raises(InputError, match=r"= 14 must hold.*but got 15 \(batch_size 16, num_sequences 20\)"):
        planned(tmp_path, small_corpus, ["fixed.num_negatives=15"])


def test_every_cell_shares_queries_pool_steps_batch_and_negatives(tmp_path, small_corpus):
    plan = planned(tmp_path, small_corpus)
    specs = [plan.spec(cell, "confirm", 1, {}) for cell in plan.cells]
    assert len({spec.split_fingerprint for spec in specs}) == 1
    assert len({json.dumps(spec.recipe, sort_keys=True) for spec in specs}) == 1
    assert {spec.patience for spec in specs} == {4}
    assert len({spec.replicate_seed for spec in specs}) == 1


def test_a_trial_id_changes_with_everything_that_determines_its_numbers_and_nothing_else(tmp_path, small_corpus):
    plan = planned(tmp_path, small_corpus)
    cell = Cell(4, 60)
    spec = plan.spec(cell, "confirm", 1, {"alpha": 0.3})
    same = plan.spec(cell, "confirm", 1, {"alpha": 0.3})
    renamed = TrialSpec(**{**spec.as_dict(), "study": "other", "corpus": "elsewhere.npz"})
    assert spec.trial_id == same.trial_id == renamed.trial_id
    others = [
        plan.spec(cell, "confirm", 2, {"alpha": 0.3}),
        plan.spec(cell, "search", 1, {"alpha": 0.3}),
        plan.spec(cell, "confirm", 1, {"alpha": 0.03}),
        plan.spec(Cell(1, 60), "confirm", 1, {"alpha": 0.3}),
        planned(tmp_path, small_corpus, ["fixed.max_steps=30"]).spec(cell, "confirm", 1, {"alpha": 0.3}),
        planned(tmp_path, small_corpus, ["seed=1"]).spec(cell, "confirm", 1, {"alpha": 0.3}),
        planned(tmp_path, small_corpus, ["data.num_queries=90"]).spec(cell, "confirm", 1, {"alpha": 0.3}),
        planned(tmp_path, small_corpus, ["patience.replay=[2]"]).spec(cell, "confirm", 1, {"alpha": 0.3}),
    ]
    assert len({spec.trial_id, *(other.trial_id for other in others)}) == 1 + len(others)


def test_a_recipe_key_added_later_changes_a_trial_id_only_where_it_is_not_its_default(
    tmp_path, small_corpus, monkeypatch
):
    class LaterRecipe(Recipe):
        momentum: float = 0.0

    plan = planned(tmp_path, small_corpus)
    spec = plan.spec(plan.cells[0], "confirm", 1, {})
    today = spec.trial_id
    monkeypatch.setattr(trial_spec, "Recipe", LaterRecipe)
    neutral, changed = (replace(spec, recipe={**spec.recipe, "momentum": value}) for value in (0.0, 0.9))
    assert spec.trial_id == neutral.trial_id == today
    assert changed.trial_id != today


def test_the_id_of_the_published_recipe_is_what_it_has_always_been():
    first = TrialSpec(
        study="s", stage="confirm", protocol="controlled", cell_id="C4_N60", context_length=4, num_sequences=60,
        replicate=1, seed=0, recipe=Recipe().model_dump(), patience=3, corpus="c", corpus_name="c", data={},
        corpus_fingerprint="0" * 16, split_fingerprint="1" * 16, trainer_version="2" * 12, code_fingerprint="3",
    )  # fmt: skip
    assert first.trial_id == "e3d4c847da6a943f"


def test_the_recipe_covers_every_value_of_model_and_training():
    recipe = Recipe(device="cpu", precision="float32")
    assert recipe.model_part(dim=8).hidden_dim == recipe.hidden_dim
    config = recipe.training_part(context_length=4, num_sequences=100, patience=3)
    assert (config.learning_rate, config.weight_decay, config.batch_size, config.alpha) == (1e-4, 1e-4, 256, 0.03)
    assert (config.grad_clip, config.temperature) == (1.0, 0.07)


def test_few_queries_cause_a_warning_with_the_width_of_their_interval(tmp_path, small_corpus):
    plan = planned(tmp_path, small_corpus)
    assert plan.warnings() == ["only 100 queries: a 95 % interval of Hit@5 is up to 20 points wide"]
    plan = planned(tmp_path, small_corpus, ["data.num_queries=2000"])
    assert any("queries, not 2000" in warning for warning in plan.warnings())
