"""Studies with records and corpus on S3, here a moto server: the same ids, one driver, no stored secret."""

import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pandas as pd
import pyarrow.fs as pafs
import pytest

from lvm_core.corpus import open_corpus
from lvm_core.errors import InputError
from lvm_core.remote import without_secrets
from study.records.lock import LEASES, Lease, locked
from study.records.store import RecordStore
from study.run import main
from tests.lifecycle.test_faults import ranks, run

SECRET = "Sup3rSecret"


@pytest.fixture(scope="module")
def host():
    """HOST:PORT of an S3 server with the bucket `bucket`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            filesystem(f"127.0.0.1:{port}").create_dir("bucket")
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def filesystem(host: str) -> pafs.S3FileSystem:
    return pafs.S3FileSystem(endpoint_override=host, scheme="http", allow_bucket_creation=True)


def uri(host: str, path: str, keys: str = "") -> str:
    return f"s3://{keys}{path}?endpoint_override={host}&scheme=http"


@pytest.fixture(scope="module")
def remote_corpus(host, small_file) -> str:
    """The small corpus on S3; its URI carries keys."""
    pafs.copy_files(small_file, "bucket/small.npz", pafs.LocalFileSystem(), filesystem(host))
    return uri(host, "bucket/small.npz", f"KEY:{SECRET}@")


@pytest.mark.slow
def test_a_study_on_s3_matches_the_same_study_on_disk_and_resumes(host, remote_corpus, small, small_file, sound):
    out = uri(host, "bucket/results", f"KEY:{SECRET}@")
    done = run(small, remote_corpus, out)
    assert done.returncode == 0, done.stderr
    store = RecordStore.at(uri(host, "bucket/results/s"))
    assert_same_ranks(store, sound)
    assert_stored_nowhere(SECRET, store, done.stdout + done.stderr)
    assert not store.files(LEASES), "a finished driver leaves no lease"
    victim = store.files("curves")[0]
    store.write_bytes(f"curves/{victim}", b"PAR1 torn")
    again = run(small, small_file, uri(host, "bucket/results"), "--resume")  # the same corpus from another location
    assert again.returncode == 0, again.stderr
    assert victim in again.stdout and "set_aside" in again.stdout
    assert_same_ranks(store, sound)
    assert store.exists(f"set_aside/curves/{victim}")


def assert_same_ranks(store: RecordStore, sound) -> None:
    mine = store.read("ranks").sort_values(["trial_id", "split", "query_id"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, ranks(sound))


def assert_stored_nowhere(secret: str, store: RecordStore, output: str) -> None:
    infos = store.filesystem.get_file_info(pafs.FileSelector(store.root, recursive=True))
    files = [info.path for info in infos if info.is_file]
    assert f"{store.root}/manifest.json" in files
    for path in files:
        assert secret.encode() not in store.filesystem.open_input_stream(path).read(), path
    assert secret not in output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--out s3://KEY:SECRET@bucket/x y", "--out s3://…@bucket/x y"),
        ("s3://KEY:SE@CR@bucket/x", "s3://…@bucket/x"),
        ("s3://KEY:SE/CR+ET@bucket/x", "s3://…@bucket/x"),
        ("s3://bucket/a@b.npz?endpoint_override=http://h:1/", "s3://bucket/a@b.npz?endpoint_override=http://h:1/"),
    ],
)
def test_a_uri_is_shown_without_its_keys(text, shown):
    assert without_secrets(text) == shown


def test_a_remote_corpus_is_fetched_once_and_again_when_it_changes(
    host, remote_corpus, small_file, small_corpus, tmp_path, monkeypatch
):
    fetched = []
    copy_files = pafs.copy_files
    monkeypatch.setattr(pafs, "copy_files", lambda *a: (fetched.append(a[0]), copy_files(*a)))
    first, second = open_corpus(remote_corpus, tmp_path), open_corpus(remote_corpus, tmp_path)
    assert (first.fingerprint, first.name) == (small_corpus.fingerprint, small_corpus.name)
    assert second.fingerprint == first.fingerprint
    assert fetched == ["bucket/small.npz"]
    assert not list(tmp_path.glob(".*")), "no copy is left beside the converted one"
    time.sleep(1.1)  # S3 times are in whole seconds
    copy_files(small_file, "bucket/small.npz", pafs.LocalFileSystem(), filesystem(host))
    assert open_corpus(remote_corpus, tmp_path).fingerprint == first.fingerprint
    assert len(fetched) == 2


def test_a_pair_of_arrays_on_s3_is_one_corpus(host, small_corpus, tmp_path):
    import numpy as np

    for name, array in (("vectors", small_corpus.vectors), ("chain_ids", small_corpus.chain_ids)):
        np.save(tmp_path / f"{name}.npy", array)
    pafs.copy_files(str(tmp_path), "bucket/pair", pafs.LocalFileSystem(), filesystem(host))
    opened = open_corpus(uri(host, "bucket/pair"), tmp_path / "cache")
    assert (opened.name, opened.num_vectors) == ("pair", small_corpus.num_vectors)
    filesystem(host).delete_file("bucket/pair/chain_ids.npy")
    with pytest.raises(InputError, match=r"s3://bucket/pair/chain_ids\.npy is not there"):
        open_corpus(uri(host, "bucket/pair/vectors.npy"), tmp_path / "cache")


def test_a_missing_or_damaged_remote_corpus_is_named_without_its_keys(host, tmp_path):
    filesystem(host).open_output_stream("bucket/broken.npz").close()
    for name, problem in (("none", "must be readable, but .* there is no bucket/none"), ("broken", "bucket/broken")):
        with pytest.raises(InputError, match=problem) as refused:
            open_corpus(uri(host, f"bucket/{name}.npz", f"KEY:{SECRET}@"), tmp_path)
        assert SECRET not in str(refused.value)
        assert str(tmp_path) not in str(refused.value), "the error names the source, not the copy"


def test_a_store_that_refuses_the_credentials_is_reported_in_one_sentence_with_a_next_step(tmp_path):
    class Forbidding(http.server.BaseHTTPRequestHandler):
        """Responds like S3 to missing or wrong credentials."""

        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(InputError, match=r"ACCESS_DENIED.*AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
            open_corpus(uri(f"127.0.0.1:{server.server_port}", "bucket/x.npz"), tmp_path)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.ray
def test_two_drivers_never_write_to_one_study_on_s3(host, small, small_file):
    store = RecordStore.at(uri(host, "bucket/two/s"))
    with locked(store):
        refused = run(small, small_file, uri(host, "bucket/two"))
        assert refused.returncode == 2
        holder = f"must have one driver, but process {os.getpid()} on {socket.gethostname()} is running s"
        assert holder in refused.stderr
        assert "if it was killed, try again in" in refused.stderr
        assert len(store.files(LEASES)) == 1, "a refused driver leaves no lease"
    with locked(store):
        assert len(store.files(LEASES)) == 1


def test_a_study_refused_before_its_first_trial_leaves_nothing_on_s3(host, small, small_file, capsys):
    out = uri(host, "bucket/refused")
    nowhere = ["--out", out, "--study", "s", "--address", "127.0.0.1:1"]
    assert main([small, "--corpus", small_file, *nowhere]) == 2
    assert "the study needs the cluster at 127.0.0.1:1" in capsys.readouterr().err
    left = filesystem(host).get_file_info(pafs.FileSelector("bucket/refused", recursive=True, allow_not_found=True))
    assert not [info.path for info in left if info.is_file]


def test_at_most_one_of_many_drivers_that_start_at_once_continues(host):
    store = RecordStore.at(uri(host, "bucket/many/s"))
    for _ in range(5):
        begin, inside, ended = threading.Barrier(8), [], threading.Event()

        def drive(begin=begin, inside=inside, ended=ended) -> None:
            begin.wait()
            try:
                with locked(store):
                    inside.append(1)
                    ended.wait()
            except InputError:
                inside.append(0)

        drivers = [threading.Thread(target=drive) for _ in range(8)]
        for driver in drivers:
            driver.start()
        deadline = time.monotonic() + 60
        while len(inside) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        ended.set()
        for driver in drivers:
            driver.join()
        assert len(inside) == 8
        assert sum(inside) <= 1


def test_a_driver_in_a_thread_acquires_and_releases_a_study(host):
    store = RecordStore.at(uri(host, "bucket/thread/s"))
    held = []

    def drive() -> None:
        with locked(store):
            held.append(len(store.files(LEASES)))

    for _ in range(2):
        driver = threading.Thread(target=drive)
        driver.start()
        driver.join()
    assert held == [1, 1]
    assert not store.files(LEASES)


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["sigint-handled", "sigint-ignored"])
def sigint(request):
    """SIGINT with Python's handler, and ignored, as in a background job of a shell."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    assert signal.signal(signal.SIGINT, before) == request.param


@pytest.mark.usefixtures("sigint")
def test_a_lease_that_is_not_renewed_is_taken_over_and_its_driver_stops(host, request):
    store = RecordStore.at(uri(host, f"bucket/stale/{request.node.callspec.id}/s"))
    store.write_json(f"{LEASES}/dead.json", {"host": "gone", "pid": 1})
    with pytest.raises(InputError, match=re.escape("process 1 on gone is running s")), locked(store):
        pytest.fail("a valid lease must be honoured")
    time.sleep(2.1)
    with pytest.raises(InputError, match=r"lost its lease|renew"), locked(store, renew_s=0.25):
        assert "dead.json" not in store.files(LEASES)
        for _ in range(200):
            for name in store.files(LEASES):  # like a driver that sees it expired; repeated, in case it is renewed
                store.delete(f"{LEASES}/{name}")
            time.sleep(0.1)
        pytest.fail("a driver without its lease must stop")


def test_a_driver_that_stalls_too_long_while_renewing_stops(host, monkeypatch):
    store = RecordStore.at(uri(host, "bucket/still/s"))
    write = Lease._write

    def stall(lease: Lease) -> None:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(1.2)  # meanwhile another driver sees the lease expired and deletes it
        write(lease)

    monkeypatch.setattr(Lease, "_write", stall)
    with pytest.raises(InputError, match="renew"), locked(store, renew_s=0.25):
        time.sleep(20)
        pytest.fail("a driver that may have lost its lease must stop")
    assert not store.files(LEASES), "it must leave no lease behind"


@pytest.mark.slow
def test_a_lease_is_renewed_while_its_driver_is_alive(host):
    store = RecordStore.at(uri(host, "bucket/renewed/s"))
    with locked(store, renew_s=1.5):
        time.sleep(7)  # longer than a lease lasts without renewal
        with pytest.raises(InputError, match="must have one driver"), locked(store, renew_s=1.5):
            pytest.fail("the first driver is alive")
