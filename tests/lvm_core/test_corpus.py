"""Corpora: every format gives the same content, and bad input of every kind is refused in one clear sentence."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lvm_core import corpus as corpus_module
from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from tests.conftest import save_npz

RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((50, 6)).astype(np.float32)
IDS = np.repeat([7, 3, 9, 4, 1], 10)


def write_parquet(path, vectors, ids):
    pq.write_table(pa.table({"vector": [row.tolist() for row in vectors], "chain_id": ids}), path)
    return str(path)


def test_every_format_gives_the_same_fingerprint_and_unit_vectors(tmp_path):
    npz = save_npz(tmp_path / "a.npz", VECTORS, IDS)
    parquet = write_parquet(tmp_path / "a.parquet", VECTORS, IDS)
    pair = tmp_path / "pair"
    pair.mkdir()
    np.save(pair / "vectors.npy", VECTORS)
    np.save(pair / "chain_ids.npy", IDS)
    opened = [open_corpus(str(source)) for source in (npz, parquet, pair, pair / "vectors.npy")]
    assert len({corpus.fingerprint for corpus in opened}) == 1
    assert np.linalg.norm(opened[0].vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert opened[0].chain_ids.tolist() == IDS.tolist()
    assert [corpus.name for corpus in opened] == ["a", "a", "pair", "pair"]


def test_half_precision_loads_as_unit_float32(tmp_path):
    corpus = open_corpus(save_npz(tmp_path / "half.npz", VECTORS.astype(np.float16), IDS))
    assert corpus.vectors.dtype == np.float32
    assert np.linalg.norm(corpus.vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_the_store_is_a_shared_memory_map_written_once(tmp_path, monkeypatch):
    source = save_npz(tmp_path / "once.npz", VECTORS, IDS, chain_titles=np.array(list("abcde")))
    first = open_corpus(source)
    monkeypatch.setattr(corpus_module, "write_store", lambda *a, **k: pytest.fail("converted twice"))
    second = open_corpus(source)
    assert isinstance(second.vectors, np.memmap)
    assert second.vectors.filename == first.vectors.filename
    assert second.titles == ("a", "b", "c", "d", "e")
    with pytest.raises(ValueError, match="read-only"):
        second.vectors[0, 0] = 2


def test_an_edited_file_is_not_served_from_the_old_copy(tmp_path):
    source = save_npz(tmp_path / "edit.npz", VECTORS, IDS)
    before = open_corpus(source).fingerprint
    save_npz(tmp_path / "edit.npz", VECTORS[::-1], IDS)
    assert open_corpus(source).fingerprint != before


def test_document_names_are_numbered_in_order(tmp_path):
    corpus = open_corpus(write_parquet(tmp_path / "named.parquet", VECTORS, [f"doc{i}" for i in IDS]))
    assert corpus.chain_ids.tolist() == np.repeat(range(5), 10).tolist()


def with_value(row, value):
    changed = VECTORS.copy()
    changed[row] = value
    return changed


BAD_ARRAYS = {
    "NaN": (with_value(12, np.nan), IDS, "row 12 of `vectors`.*NaN or inf"),
    "inf": (with_value(3, np.inf), IDS, "row 3 of `vectors`.*NaN or inf"),
    "zero": (with_value(49, 0), IDS, "row 49 of `vectors`.*all zeros"),
    "ungrouped": (VECTORS, np.tile([7, 3], 25), "must stand together, but document 3 .* begins 25 times"),
    "ids too short": (VECTORS, IDS[:-1], r"one id for each vector.*\(49,\) for 50 vectors"),
    "float ids": (VECTORS, IDS.astype(float), "must be integers or names, but .* has float64"),
    "one dimension": (VECTORS[0], IDS[:6], r"must be \[V, D\] floats.*float32 \[6\]"),
    "integers": (VECTORS.astype(np.int64), IDS, r"must be \[V, D\] floats.*int64"),
    "empty": (VECTORS[:0], IDS[:0], r"not empty, but .* \[0, 6\]"),
}


@pytest.mark.parametrize(("vectors", "ids", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays_are_refused_in_one_sentence_and_leave_no_store(tmp_path, vectors, ids, message):
    source = save_npz(tmp_path / "bad.npz", vectors, ids)
    with pytest.raises(InputError, match=message) as caught:
        open_corpus(source, cache=tmp_path / "cache")
    assert str(tmp_path / "bad.npz") in str(caught.value)
    assert not list((tmp_path / "cache").glob("*")) and not list((tmp_path / "cache").glob(".*"))


def test_missing_keys_are_named_with_those_found(tmp_path):
    np.savez(tmp_path / "keys.npz", embeddings=VECTORS, chain_ids=IDS)
    with pytest.raises(InputError, match=r"lacks vectors \(it has embeddings, chain_ids\)"):
        open_corpus(str(tmp_path / "keys.npz"))


def test_missing_truncated_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.npz is not there"):
        open_corpus(str(tmp_path / "nowhere.npz"))
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(InputError, match=r"ends in '\.txt'"):
        open_corpus(str(tmp_path / "text.txt"))
    for suffix in (".npz", ".npy", ".parquet"):
        (tmp_path / f"junk{suffix}").write_bytes(b"PK\x03\x04 not really" * 9)
        np.save(tmp_path / "chain_ids.npy", IDS)
        with pytest.raises(InputError, match="must be readable as"):
            open_corpus(str(tmp_path / f"junk{suffix}"))


def test_a_pickled_array_runs_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    objects = np.empty(50, object)
    objects[:] = Trap()
    assert pickle.dumps(Trap())
    np.savez(tmp_path / "trap.npz", vectors=objects, chain_ids=IDS)
    with pytest.raises(InputError, match="must be readable"):
        open_corpus(str(tmp_path / "trap.npz"))
    assert not (tmp_path / "ran").exists()


def test_ragged_and_null_parquet_rows_are_refused(tmp_path):
    ragged = pa.table({"vector": [[1.0, 2.0], [1.0]], "chain_id": [0, 0]})
    pq.write_table(ragged, tmp_path / "ragged.parquet")
    with pytest.raises(InputError, match="same number of values"):
        open_corpus(str(tmp_path / "ragged.parquet"))
    pq.write_table(pa.table({"vector": [[1.0], [2.0]], "chain_id": [0, None]}), tmp_path / "null.parquet")
    with pytest.raises(InputError, match="has 1 nulls"):
        open_corpus(str(tmp_path / "null.parquet"))
