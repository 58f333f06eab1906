"""Encoding text with a real encoder: what is written, what a kill costs, what is refused, and predictions on it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lvm_core.checkpoint import model_files, write_folder
from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from lvm_core.models import ModelConfig, build_model
from study import predict
from study.corpus import __main__ as command
from study.corpus import next_chunks
from study.corpus.batches import Job, encode_all
from study.corpus.encode import EncodeRequest, encode_corpus
from study.corpus.encoder import CARRIED, DEFAULT, Encoder, open_encoder
from study.corpus.text_index import index_path, open_index

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = (
    "The old sailor",
    "My younger sister",
    "A doctor from the village",
    "The captain of the ship",
    "Nobody at home",
)
DOINGS = ("found a map", "lost the key", "heard strange songs", "sold two horses", "wrote a long letter")
PLACES = ("in the garden", "under the bridge", "behind the inn", "on the island", "near the harbour")


def story(seed: int, sentences: int) -> str:
    rng = np.random.default_rng(seed)
    lines = [
        f"{rng.choice(SUBJECTS)} {rng.choice(DOINGS)} {rng.choice(PLACES)} on day {rng.integers(1000)} of that year."
        for _ in range(sentences)
    ]
    return "\n\n".join(" ".join(lines[start : start + 5]) for start in range(0, sentences, 5))


@pytest.fixture(scope="module")
def docs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    for number in range(4):
        (folder / f"story-{number}.txt").write_text(story(number, 40))
    return folder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_encoder(DEFAULT, "cpu")


@pytest.fixture(scope="module")
def encoded(docs, tmp_path_factory) -> Path:
    """The corpus of an undisturbed run."""
    out = tmp_path_factory.mktemp("encoded") / "my.npz"
    assert command.main(["encode", str(docs), "--out", str(out), "--device", "cpu"]) == 0
    return out


def test_every_vector_encodes_the_text_at_its_character_range(encoded, docs, encoder):
    corpus, raw = open_corpus(str(encoded)), np.load(encoded, allow_pickle=False)
    assert raw["vectors"].dtype == np.float16 and raw["vectors"].shape == (160, 384)
    assert raw["chain_ids"].tolist() == np.repeat(range(4), 40).tolist()
    assert corpus.titles == tuple(f"story-{number}" for number in range(4))
    index = open_index(corpus, str(encoded))
    for row in (0, 39, 40, 159):
        start, end = index.span(row)
        text = " ".join((docs / index.document(row)).read_text()[start:end].split())
        assert text == index.text(row)
        assert encoder.encode([text])[0] @ corpus.vectors[row] > 0.9999
    assert not list(encoded.parent.glob(".*"))  # no temporary files are left


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_in_the_same_bits(encoded, docs, tmp_path):
    out = tmp_path / "killed.npz"
    key, begun = tmp_path / ".killed.npz.work" / "key", tmp_path / ".killed.npz.work" / "vectors.npy"
    line = [sys.executable, "-m", "study.corpus", "encode", str(docs), "--out", str(out), "--device", "cpu"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(line, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, **quiet)
    try:
        while not (key.is_file() and np.load(begun, mmap_mode="r").any()) and process.poll() is None:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists() and not index_path(out).exists()
    printed: list[str] = []
    encode_corpus(EncodeRequest(source=str(docs), out=out, device="cpu"), printed.append)
    assert any(line.startswith("resuming after ") for line in printed), printed
    assert out.read_bytes() == encoded.read_bytes()
    assert pq.read_table(index_path(out)).equals(pq.read_table(index_path(encoded)), check_metadata=True)


class CountingEncoder:
    """A fake encoder that records its calls, to see what a second run repeats."""

    dim, fingerprint = 4, "made up"

    def __init__(self, fail_after: int | None = None):
        self.encoded: list[str] = []
        self.fail_after = fail_after

    def encode(self, texts: list[str]) -> np.ndarray:
        if self.fail_after is not None and len(self.encoded) >= self.fail_after:
            raise KeyboardInterrupt
        self.encoded += texts
        angles = [len(text) / 10 for text in texts]
        return np.array([[np.cos(angle), np.sin(angle), 0, 0] for angle in angles], np.float32)


def test_finished_batches_are_not_encoded_again_and_those_of_other_texts_are_not_used(tmp_path):
    texts = ["x" * length for length in (3, 9, 1, 7, 5, 8, 2)]
    first, second, third = CountingEncoder(fail_after=4), CountingEncoder(), CountingEncoder()
    with pytest.raises(KeyboardInterrupt):
        encode_all(Job(texts, first, 2, tmp_path / "work"), print)
    vectors = encode_all(Job(texts, second, 2, tmp_path / "work"), print)
    assert [len(text) for text in first.encoded] == [9, 8, 7, 5]
    assert [len(text) for text in second.encoded] == [3, 2, 1]
    expected = [len(text) / 10 for text in texts]
    np.testing.assert_allclose(np.arctan2(vectors[:, 1], vectors[:, 0]), expected, atol=1e-3)
    encode_all(Job([*texts, "y"], third, 2, tmp_path / "work"), print)
    assert len(third.encoded) == 8


BAD_DOCUMENTS = {
    "binary": (b"\x00\x01", "must be UTF-8 text"),
    "empty": (b" \n", "must have text, but is empty"),
    "one chunk": (b"One sentence only.", "must have at least 2 chunks, but has 1"),
    "mixed encodings": ("Déjà vu.\n".encode() + b"caf\xe9", "line 2 has the byte 0xe9"),
}


@pytest.mark.parametrize(("data", "message"), BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
def test_a_document_that_cannot_be_used_stops_the_encoding_with_one_sentence(tmp_path, data, message, capsys):
    (tmp_path / "a.txt").write_text(story(0, 5))
    (tmp_path / "bad.txt").write_bytes(data)
    assert command.main(["encode", str(tmp_path), "--out", str(tmp_path / "o.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: a document ") and error.count("\n") == 1
    assert message in error and "bad.txt" in error and "1 of 2" in error and "--skip-bad" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "bad.txt"]


def test_skip_bad_skips_such_documents_and_names_them(tmp_path, capsys):
    (tmp_path / "a.txt").write_text(story(0, 5))
    (tmp_path / "bad.txt").write_bytes(b"")
    assert command.main(["encode", str(tmp_path), "--out", str(tmp_path / "o.npz"), "--skip-bad"]) == 0
    assert "note: skipped bad.txt: a document must have text, but is empty" in capsys.readouterr().out
    assert open_corpus(str(tmp_path / "o.npz")).titles == ("a",)


WRONG = {
    "no model there": (["--encoder", "./no/such/model"], "no/such/model is not there"),
    "no model in the folder": (["--encoder", "{dir}"], "could not be loaded from"),
    "another ending": (["--out", "{dir}/o.parquet"], "--out must end in .npz"),
    "no folder": (["--out", "{dir}/none/o.npz"], "none is not there"),
    "output exists": (["--out", "{dir}/there.npz"], "must not exist yet"),
    "unknown device": (["--device", "tpu"], "invalid choice: 'tpu'"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_is_refused_in_one_sentence_and_leaves_nothing(docs, tmp_path, arguments, message, capsys):
    (tmp_path / "there.npz").write_bytes(b"")
    arguments = [part.replace("{dir}", str(tmp_path)) for part in arguments]
    assert command.main(["encode", str(docs), "--out", str(tmp_path / "o.npz"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there.npz"]


@pytest.mark.parametrize("package", ["sentence_transformers", "sentencex"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(docs, tmp_path, package, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert command.main(["encode", str(docs), "--out", str(tmp_path / "o.npz")]) == 2
    assert "pip install 'lvm-study[text]'" in capsys.readouterr().err


def write_model(folder: Path, dim: int, context_length: int, fingerprint: str) -> Path:
    config = ModelConfig(dim=dim, hidden_dim=8)
    facts = {"training": {"context_length": context_length}, "corpus": "my", "corpus_fingerprint": fingerprint}
    write_folder(folder, model_files(build_model(config, seed=0).state_dict(), config, facts))
    return folder


def test_the_predicted_chunks_of_a_passage_are_shown_with_scores_and_places(encoded, docs, tmp_path, capsys):
    fingerprint = open_corpus(str(encoded)).fingerprint
    models = [str(write_model(tmp_path / str(c), 384, c, fingerprint)) for c in (1, 4)]
    index = open_index(open_corpus(str(encoded)), str(encoded))
    passage = tmp_path / "passage.txt"
    passage.write_text(" ".join(index.text(row) for row in range(6)) + " And then")  # ends in a short piece
    assert predict.main([*models, "--corpus", str(encoded), "--file", str(passage), "-k", "3"]) == 0
    output = capsys.readouterr().out
    assert "passage of 6 chunks; the model trained on C=4 read the last 4" in output
    assert [line[:2] for line in output.splitlines() if line[0].isdigit()] == ["1.", "2.", "3."]
    assert "story-" in output and not any(index.text(row) in output for row in range(6))


def test_a_wrong_prediction_request_is_refused_in_one_sentence(encoded, tmp_path, small_file, capsys):
    fingerprint = open_corpus(str(encoded)).fingerprint
    fits, narrow = write_model(tmp_path / "a", 384, 4, fingerprint), write_model(tmp_path / "b", 16, 4, "other")
    bare = tmp_path / "bare.npz"
    bare.write_bytes(encoded.read_bytes())
    cases = {
        "showing text needs the corpus's text index": [str(fits), "--corpus", str(bare), "--text", "Hello there."],
        "must have the model's dimension": [str(narrow), "--corpus", str(encoded), "--text", "Hello there."],
        "must have at least one word": [str(fits), "--corpus", str(encoded), "--text", " "],
        "1 <= k <= vectors must hold": [str(fits), "--corpus", str(encoded), "--text", "Hello there.", "-k", "0"],
        "models that are used together": [str(fits), str(narrow), "--corpus", str(encoded), "--text", "Hello there."],
        "a checkpoint must have readable": [str(tmp_path), "--corpus", str(encoded), "--text", "Hello there."],
    }
    for message, arguments in cases.items():
        assert predict.main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, (message, error)


def test_a_text_index_of_other_vectors_is_refused(encoded, small_file, tmp_path):
    other = tmp_path / "other.npz"
    other.write_bytes(Path(small_file).read_bytes())
    index_path(other).write_bytes(index_path(encoded).read_bytes())
    with pytest.raises(InputError, match="must belong to the vectors beside it"):
        open_index(open_corpus(str(other)), str(other))


def test_a_passage_encoded_by_another_encoder_is_refused(encoded, encoder):
    class Other:
        name, fingerprint = "another", "0" * 16

    corpus = open_corpus(str(encoded))
    index = open_index(corpus, str(encoded))
    assert index.facts.encoder == DEFAULT in CARRIED and index.facts.encoder_fingerprint == encoder.fingerprint
    with pytest.raises(InputError, match="must be encoded with the corpus's encoder"):
        next_chunks.ask(None, corpus, index, Other(), "Hello there.", 1)
