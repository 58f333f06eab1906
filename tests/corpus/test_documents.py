"""Documents are read unchanged and in order; problems are reported with their place; chunks keep every word."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lvm_core.errors import InputError
from study.corpus.chunks import MAX_WORDS, MIN_WORDS, cut
from study.corpus.documents import decode, read_documents
from study.corpus.markdown import blank_markup


def test_a_folder_is_read_in_the_order_of_its_paths_and_ignored_files_are_named(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.md").write_text("Some text.")
    (tmp_path / "c.txt").write_text("More text.")
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfFirst\r\nline.")
    (tmp_path / "d.pdf").write_bytes(b"%PDF")
    (tmp_path / ".hidden.txt").write_text("No.")
    reading = read_documents(str(tmp_path))
    assert [(d.document_id, d.title) for d in reading.documents] == [
        ("a.txt", "a"),
        ("b/one.md", "one"),
        ("c.txt", "c"),
    ]
    assert reading.documents[0].text == "First\r\nline."
    assert reading.ignored == ["d.pdf"]


def test_jsonl_and_parquet_give_the_same_documents(tmp_path):
    rows = [{"id": "x", "text": "One is here.", "title": "X"}, {"id": "y", "text": "Two is there.", "title": "Y"}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    pq.write_table(pa.table({"body": ["One is here.", "Two is there."]}), tmp_path / "plain.parquet")
    documents = read_documents(str(tmp_path / "d.jsonl")).documents
    assert [(d.document_id, d.title, d.text) for d in documents] == [
        tuple(r[k] for k in ("id", "title", "text")) for r in rows
    ]
    assert read_documents(str(tmp_path / "d.parquet")).documents == documents
    assert [d.document_id for d in read_documents(str(tmp_path / "plain.parquet"), "body").documents] == ["0", "1"]


PROBLEMS = {
    "binary": (b"abc\0def", "has a NUL at byte 3 and is binary"),
    "UTF-16": ("Hello".encode("utf-16"), "is UTF-16"),
    "mixed encodings": ("naïve\n".encode() + "café".encode("latin-1"), "line 2 has the byte 0xe9 in another encoding"),
}


@pytest.mark.parametrize(("data", "message"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_bytes_that_are_not_utf8_text_are_reported_with_their_place(data, message):
    text, problem = decode(data)
    assert text == "" and message in problem


WRONG = {
    "missing": ("none", None, "is not there"),
    "another kind": ("a.pdf", b"%PDF", "ends in '.pdf'"),
    "no JSON": ("a.jsonl", b'{"id": 1, "text": "x"}\nnot json\n', "line 2 is not"),
    "no text key": ("a.jsonl", b'{"id": 1, "body": "x"}\n', "must have the keys id and text, but line 1"),
    "an id twice": ("a.jsonl", b'{"id": 1, "text": "x"}\n{"id": "1", "text": "y"}\n', "has '1' 2 times"),
    "no lines": ("a.jsonl", b"\n", "must contain at least one document"),
    "no Parquet": ("a.parquet", b"PAR1 of sorts", "must be a readable Parquet"),
}


@pytest.mark.parametrize(("name", "data", "message"), WRONG.values(), ids=WRONG.keys())
def test_an_unreadable_source_is_refused(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=re.escape(message)):
        read_documents(str(tmp_path / name))


def test_markdown_keeps_its_prose_in_place_and_loses_code_tables_and_links():
    head = "---\ntitle: T\n---\n# A *bold* head\n\nSee [the page](http://x.org/a) now.\n\n"
    text = head + "```python\ncode()\n```\n| a | b |\n\n- item_name"
    blank = blank_markup(text)
    assert len(blank) == len(text)
    assert blank.split() == ["A", "bold", "head", "See", "the", "page", "now.", "item_name"]
    assert blank.index("page") == text.index("page")


def made_document(rng: np.random.Generator) -> str:
    """Sentences of 1 to 120 words, some with commas, in paragraphs, with odd whitespace and wide characters."""
    sentences = []
    for length in rng.integers(1, 120, size=rng.integers(1, 12)):
        words = [f"w{'é😀'[: rng.integers(0, 3)]}{number}" for number in range(length)]
        words = [word + "," if rng.random() < 0.1 else word for word in words]
        sentences.append(" ".join(words).capitalize() + ".")
    return "".join(sentence + rng.choice([" ", "\n", "\r\n\r\n", "\t "]) for sentence in sentences)


@pytest.mark.parametrize("seed", range(40))
def test_chunks_keep_every_word_once_in_order_and_have_8_to_40_words(seed):
    text = made_document(np.random.default_rng(seed))
    chunks = cut(text)
    assert " ".join(chunk.text for chunk in chunks).split() == text.split()
    assert all(text[chunk.start : chunk.end].split() == chunk.text.split() for chunk in chunks)
    sizes = [len(chunk.text.split()) for chunk in chunks]
    assert max(sizes) <= MAX_WORDS
    assert min(sizes) >= min(MIN_WORDS, len(text.split()))


def test_sentences_become_chunks_and_abbreviations_do_not_end_them():
    text = "Mr. Smith went to Washington on a very cold Monday. He came back by train on the following Friday night."
    assert [chunk.text for chunk in cut(text)] == [text[:51], text[52:]]


def test_a_short_sentence_is_joined_to_the_next_and_the_last_to_the_previous():
    middle = "This sentence has more than eight words in it."
    assert [chunk.text for chunk in cut(f"Yes. {middle} No, thanks.")] == [f"Yes. {middle} No, thanks."]
    assert [chunk.text for chunk in cut(f"{middle} Well, well.\n\n{middle}")] == [middle, f"Well, well. {middle}"]


def test_a_long_sentence_is_halved_at_the_pause_nearest_its_middle():
    words = [f"word{number}" for number in range(50)]
    words[11] += ","
    words[27] += ","
    assert [len(chunk.text.split()) for chunk in cut(" ".join(words) + ".")] == [28, 22]


def test_few_words_make_one_chunk_and_no_words_make_none():
    assert [chunk.text for chunk in cut("  Only three words. ")] == ["Only three words."]
    assert cut(" \n ") == []
