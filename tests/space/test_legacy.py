"""What a study recorded before a key existed keeps, whatever its file says now."""

from study.space.file import load_space
from study.space.legacy import BEFORE, kept_values, values_before
from study.space.space import Space

OLD_RACING = {"num_configs": 3, "grace_evaluations": 1, "reduction_factor": 2, "in_flight_per_cell": 1}


def recorded(space: Space) -> dict:
    return space.model_dump(mode="json")


def test_every_former_value_is_one_of_a_key_that_exists(tiny_space):
    space = load_space(tiny_space, None, [], {}, values_before({}))
    for key in BEFORE:
        value = recorded(space)
        for name in key.split("."):
            value = value[name]
        assert value == BEFORE[key]


def test_a_study_that_had_all_keys_keeps_nothing_against_its_file(tiny_space):
    assert kept_values(recorded(load_space(tiny_space, None, [], {})), []) == {}


def test_an_older_study_keeps_former_values_and_its_racing_and_a_setting_still_wins(tiny_space):
    old = {key: value for key, value in recorded(load_space(tiny_space, None, [], {})).items() if key != "common_map"}
    kept = kept_values(old | {"racing": OLD_RACING}, [])
    space = load_space(tiny_space, None, ["racing.num_samples=7"], {}, kept)
    assert not space.common_map
    assert (space.racing.num_samples, space.racing.grace_period) == (7, 1)
    assert load_space(tiny_space, None, ["common_map=true"], {}, kept).common_map


def test_an_older_study_is_still_known_as_one_after_its_extension(tiny_space):
    space = recorded(load_space(tiny_space, None, ["common_map=false"], {}))
    old = {key: value for key, value in space.items() if key != "common_map"}
    assert kept_values(space, [old]) == values_before(old) | {"racing": space["racing"]}
