"""`inspect` prints the right figures on corpora where they are known; `convert` changes the format and nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest

from lvm_core.corpus import open_corpus
from lvm_core.data_config import DataConfig
from lvm_core.dataset import build_dataset
from lvm_core.vectors import unit
from study.corpus import __main__ as command
from study.corpus.capacity import capacities
from study.corpus.direction import BACKWARD, REVERSED, SHUFFLED, measure_direction
from study.corpus.geometry import mean_cosines
from study.corpus.inspect import verdict
from tests.conftest import save_npz


@pytest.fixture
def titled(tmp_path) -> str:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 8)).astype(np.float16)
    return save_npz(tmp_path / "titled.npz", vectors, np.repeat([3, 1, 2], 20), chain_titles=np.array(["c", "å", "b"]))


@pytest.mark.parametrize("first", ["one.parquet", "one.arrow", "one", "one.npz"])
@pytest.mark.parametrize("second", ["two.parquet", "two.arrow", "two", "two.npz"])
def test_a_round_trip_between_formats_changes_nothing(titled, tmp_path, first, second, capsys):
    for source, target in ((titled, tmp_path / first), (tmp_path / first, tmp_path / second)):
        assert command.main(["convert", str(source), str(target)]) == 0, capsys.readouterr().err
    before, after = open_corpus(titled), open_corpus(str(tmp_path / second))
    assert (after.fingerprint, after.titles) == (before.fingerprint, ("c", "å", "b"))
    assert "60 vectors of 8 float16" in capsys.readouterr().out  # the file's own precision is kept


def test_names_as_chain_ids_survive_without_pickle(tmp_path):
    rng = np.random.default_rng(0)
    source = save_npz(tmp_path / "s.npz", rng.standard_normal((6, 4)), np.array(["b", "b", "b", "a", "a", "a"]))
    for name in ("t.parquet", "t.npz"):
        assert command.main(["convert", source, str(tmp_path / name)]) == 0
        source = str(tmp_path / name)
    assert np.load(source, allow_pickle=False)["chain_ids"].tolist() == ["b", "b", "b", "a", "a", "a"]


@pytest.mark.parametrize("target", ["t.parquet", "t.arrow", "t.npz", "t"])
@pytest.mark.parametrize("ids", [["b\udcff"] * 3 + ["a"] * 3, [1, 1, 1, 2, 2, 2]], ids=["names", "titles"])
def test_an_unpaired_surrogate_is_kept_where_the_format_can_and_refused_elsewhere(ids, target, tmp_path, capsys):
    rng = np.random.default_rng(0)
    titles = np.array(["b\udcff", "a"])
    source = save_npz(tmp_path / "s.npz", rng.standard_normal((6, 4)), np.array(ids), chain_titles=titles)
    status = command.main(["convert", source, str(tmp_path / target)])
    err = capsys.readouterr().err
    if target.endswith(("parquet", "arrow")):
        assert (status, err.count("\n")) == (2, 1)
        assert "unpaired UTF-16 surrogate" in err
        assert not (tmp_path / target).exists()
    else:
        assert status == 0, err
        assert open_corpus(str(tmp_path / target)).titles[0] == titles[0]


def test_a_wrong_conversion_is_refused_in_one_sentence_and_leaves_nothing(titled, tmp_path, capsys):
    broken = tmp_path / "broken.arrow"
    broken.write_bytes(b"ARROW1 of sorts")
    before = sorted(tmp_path.iterdir())
    for source, target, message in (
        (titled, "x.csv", "ends in '.csv'"),
        (titled, "titled.npz", "must not exist yet"),
        (str(tmp_path / "none.npz"), "x.npz", "is not there"),
        (str(broken), "x.npz", "must be readable as .arrow"),
    ):
        assert command.main(["convert", source, str(tmp_path / target)]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, error
    assert sorted(tmp_path.iterdir()) == before


def test_inspect_prints_sizes_norms_capacity_copies_baselines_and_direction(small_file, capsys):
    assert command.main(["inspect", small_file]) == 0
    output = capsys.readouterr().out
    assert "V 2,400 vectors, D 16, 60 documents" in output
    assert (
        "document length in vectors at 0 % / 5 % / 25 % / 50 % / 75 % / 95 % / 100 %: " + " / ".join(["40"] * 7)
        in output
    )
    norms = np.linalg.norm(np.load(small_file)["vectors"], axis=1)
    assert f"min {norms.min():.4f}, median {np.median(norms):.4f}, max {norms.max():.4f}" in output
    for words in (
        "next ",
        "2 ahead",
        "10 ahead",
        "random, other document",
        "near-copies",
        "last_vector",
        "in order, before",
    ):
        assert words in output
    assert re.search(r"C=32\s+N up to 336\s+72 queries  \(few", output)  # 42 training documents of 40: 8 targets each


def test_capacities_are_those_of_a_study(small_corpus):
    found, limit = capacities(small_corpus, seed=0)
    assert [entry.context_length for entry in found] == [1, 2, 4, 8, 16, 32] and limit is None
    data = build_dataset(small_corpus, DataConfig(seed=0, max_context=16))
    assert found[4].num_sequences == len(data.train_positions)
    assert found[4].num_queries == len(data.queries["test"].positions)


def test_the_next_and_the_previous_chunk_are_equally_near_by_symmetry(small_corpus):
    means = {mean.name: mean.value for mean in mean_cosines(small_corpus, seed=0)}
    assert means["next"] == pytest.approx(means["previous"], abs=0.01)
    now = np.einsum("ij,ij->i", small_corpus.vectors[:-2], small_corpus.vectors[2:])
    inside = small_corpus.chain_ids[:-2] == small_corpus.chain_ids[2:]
    assert means["2 ahead"] == pytest.approx(now[inside].mean(), abs=1e-6)


def findings_of(path: str) -> tuple[dict, str]:
    dataset = build_dataset(open_corpus(path), DataConfig(seed=0, max_context=8))
    findings = measure_direction(dataset, seed=0).findings
    return {finding.name: finding for finding in findings}, verdict(findings)


def test_a_time_reversible_process_shows_order_but_no_direction(small_file):
    found, sentence = findings_of(small_file)
    assert found[SHUFFLED].high < 0 and found[REVERSED].high < 0
    assert found[BACKWARD].low < 0 < found[BACKWARD].high
    assert sentence == "the order within a context helps; no difference between forward and backward is shown"


def test_one_long_test_document_is_resampled_in_stretches_to_get_an_interval(tmp_path):
    rng = np.random.default_rng(0)
    source = save_npz(tmp_path / "four.npz", rng.standard_normal((2000, 8)), np.repeat(range(4), 500))
    measured = measure_direction(build_dataset(open_corpus(source), DataConfig(seed=0, max_context=8)), seed=0)
    assert measured.resampled == "10 stretches of 50 vectors (1 test document)"
    assert all(finding.low < finding.high for finding in measured.findings[1:])


def write_pairs(path: Path, *, backward: bool) -> str:
    """Documents of pairs: a random vector, then its image in 6 of 24 dims, which predicts it less well."""
    rng = np.random.default_rng(0)
    causes = unit(rng.standard_normal((60, 20, 24)))
    effects = np.zeros_like(causes)
    effects[..., :6] = causes[..., 6:12]
    chains = np.stack([causes, unit(effects)], axis=2).reshape(60, 40, 24)
    return save_npz(path, (chains[:, ::-1] if backward else chains).reshape(-1, 24), np.repeat(np.arange(60), 40))


def test_a_planted_direction_is_found_and_turns_with_the_corpus(tmp_path):
    assert findings_of(write_pairs(tmp_path / "a.npz", backward=False))[1].endswith(
        "forward is easier to predict than backward"
    )
    assert findings_of(write_pairs(tmp_path / "b.npz", backward=True))[1].endswith(
        "backward is easier to predict than forward"
    )
