"""Studies on several machines: Ray's test cluster on this host, and machines with their own network and files."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from study.driver.nodes import Needs, node_probe, problems_of_nodes
from study.driver.session import QUIET, RunOptions, ray_session
from study.host.code import code_fingerprint, shared_versions
from study.records.store import RecordStore
from tests.lifecycle.test_faults import line, ranks, rows
from tests.studies import ROOT

MIB = 1 << 20
# a silent node counts as dead after 3 s; Ray's default is half a minute
HEARTBEAT = {f"RAY_health_check_{name}_ms": "1000" for name in ("period", "timeout", "initial_delay")} | {
    "RAY_health_check_failure_threshold": "3"
}


@pytest.fixture(scope="module")
def cluster():
    """A head that trains nothing, and two nodes of one CPU."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 * MIB})
        yield made, [made.add_node(num_cpus=1, object_store_memory=100 * MIB) for _ in range(2)]
        made.shutdown()


def needs(small_corpus, store: Path, **other: object) -> Needs:
    """What a node must have for a study of the small corpus in `store`."""
    RecordStore.at(store).write_json("manifest.json", {})
    wanted = {
        "code_fingerprint": code_fingerprint(),
        "versions": shared_versions(),
        "corpus": small_corpus.path,
        "corpus_fingerprint": small_corpus.fingerprint,
        "store_uri": str(store),
    }
    return Needs(**{**wanted, **other})


@pytest.mark.slow
def test_every_training_node_is_checked_and_unfit_ones_are_named(cluster, small_corpus, tmp_path, monkeypatch):
    def stalled(_needs: dict) -> list[str]:
        import time

        time.sleep(5)
        return []

    with ray_session(RunOptions(address=cluster[0].address)):
        assert problems_of_nodes(needs(small_corpus, tmp_path)) == {}
        found = problems_of_nodes(needs(small_corpus, tmp_path, code_fingerprint="older"))
        monkeypatch.setattr("study.driver.nodes.node_probe", lambda: stalled)
        late = problems_of_nodes(needs(small_corpus, tmp_path), limit_s=0)
    assert len(found) == 1, "both nodes have the same name here, and the head is not checked"
    assert "same lvm_core/ and study/" in next(iter(found.values()))[0]
    assert "must answer within 0 s" in next(iter(late.values()))[0]
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"], "no probe is left behind"


def test_a_node_reports_all_its_problems_at_once(small_corpus, tmp_path):
    wrong = {
        "code_fingerprint": "older",
        "versions": {"torch": "1.0"},
        "corpus": str(tmp_path / "none.npz"),
        "store_uri": str(tmp_path / "elsewhere"),
    }
    found = node_probe()(vars(needs(small_corpus, tmp_path / "study", **wrong)))
    assert len(found) == 4
    for sentence, rule in zip(
        found, ("same lvm_core/ and study/", "torch .*, not 1.0", "is not there", "see the study's"), strict=True
    ):
        assert pd.Series([sentence]).str.contains(rule).all(), sentence
    other = node_probe()(vars(needs(small_corpus, tmp_path / "study", corpus_fingerprint="0" * 16)))
    assert ["must have the same corpus" in sentence for sentence in other] == [True]


@pytest.mark.slow
def test_a_study_survives_the_death_of_a_node(cluster, small, small_file, sound, tmp_path):
    made, nodes = cluster
    command = line(small, small_file, tmp_path, "--workers", "2", "--address", made.address)
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert_ends_as(sound, tmp_path, driver, lambda: made.remove_node(nodes[0], allow_graceful=False))


def assert_ends_as(sound: Path, out: Path, driver: subprocess.Popen, fault) -> None:
    """Provoke the fault after the first record, and expect the records of an undisturbed study."""
    try:
        wait_for_a_record(out / "s" / "trials", driver)
        fault()
        assert driver.poll() is None, "the fault must happen mid-study"
        output, _ = driver.communicate(timeout=240)
    finally:
        driver.kill()
    assert driver.returncode == 0, output
    assert "Traceback" not in output
    assert set(rows(out).trial_id) == set(rows(sound).trial_id)
    assert set(rows(out).status) == {"completed"}
    pd.testing.assert_frame_equal(ranks(out), ranks(sound))


def wait_for_a_record(folder: Path, driver: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not list(folder.glob("*.parquet")):
        assert driver.poll() is None and time.monotonic() < deadline, "the study wrote no record"
        time.sleep(0.05)


class Machines:
    """Machines on this host: network namespaces joined by cables (veth pairs) to a switch, each with its own Ray.

    Machine n is called machine<n> and has the address 10.77.0.n; the first is the head and trains nothing. A machine
    may have other files than this host, through private mounts.
    """

    def __init__(self, folder: Path):
        self.folder, self._tag, self._started = folder, f"lvm{os.getpid()}", []
        self._ip("netns", "add", f"{self._tag}-0")
        self._ip("-n", f"{self._tag}-0", "link", "add", "switch", "type", "bridge")
        self._ip("-n", f"{self._tag}-0", "link", "set", "switch", "up")

    def _ip(self, *arguments: str) -> str:
        return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout

    def plug(self, number: int) -> None:
        """Make machine `number` and its cable."""
        name, switch = f"{self._tag}-{number}", f"{self._tag}-0"
        self._ip("netns", "add", name)
        self._ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self._ip("-n", switch, "link", "set", f"port{number}", "master", "switch", "up")
        self._ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            self._ip("-n", name, "link", "set", device, "up")

    def cut(self, number: int) -> None:
        """Unplug a machine: its processes run on, but are unreachable."""
        self._ip("-n", f"{self._tag}-0", "link", "set", f"port{number}", "down")

    def popen(self, number: int, command: list[str], mounts: str = "true", **options) -> subprocess.Popen:
        """Start a process on a machine, behind its mounts."""
        shell = ["sh", "-c", f'hostname machine{number} && {mounts} && exec "$@"', "sh", *command]
        own = ["ip", "netns", "exec", f"{self._tag}-{number}", "unshare", "--uts", *shell]
        return subprocess.Popen(own, cwd=ROOT, **options)

    def start_ray(self, number: int, mounts: str = "true") -> None:
        """Run `ray start --block` there, and wait until it is up."""
        role = ["--head", "--port=6379", f"--temp-dir={self.folder}", "--num-cpus=0", "--include-dashboard=false"]
        if number > 1:
            role = ["--address=10.77.0.1:6379", "--num-cpus=1"]
        ray = str(Path(sys.executable).with_name("ray"))
        command = [ray, "start", "--block", *role, f"--node-ip-address=10.77.0.{number}"]
        log = self.folder / f"{number}.log"
        with log.open("w") as output:
            process = self.popen(
                number,
                [*command, "--disable-usage-stats", f"--object-store-memory={100 * MIB}"],
                mounts,
                stdout=output,
                stderr=output,
                env={**os.environ, **QUIET, **HEARTBEAT},
            )
        self._started.append(process)
        deadline = time.monotonic() + 120
        while "Ray runtime started" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)

    def end(self, number: int) -> None:
        """Kill all processes of a machine."""
        for pid in self._ip("netns", "pids", f"{self._tag}-{number}").split():
            os.kill(int(pid), signal.SIGKILL)

    def remove(self) -> None:
        names = [name.split()[0] for name in self._ip("netns", "list").splitlines()]
        for name in (name for name in names if name.startswith(f"{self._tag}-")):
            self.end(int(name.rpartition("-")[2]))
            self._ip("netns", "delete", name)
        for process in self._started:
            process.wait()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    """Three machines with Ray; the first is the head."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and `ip` (iproute2)")
    folder = Path(f"/tmp/lvm{os.getpid()}")  # Ray's socket paths must be short
    folder.mkdir()
    try:
        made = Machines(folder)
    except subprocess.CalledProcessError as error:
        folder.rmdir()
        pytest.skip(f"this system allows no network namespace: {error.stderr.strip()}")
    try:
        for number in (1, 2, 3):
            made.plug(number)
            made.start_ray(number)
        yield made
    finally:
        made.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_machine_that_cannot_run_the_study_is_refused_before_any_trial(machines, small, small_file, tmp_path):
    other_code, out = tmp_path / "durations.py", tmp_path / "out"
    other_code.write_text((ROOT / "study" / "messages" / "durations.py").read_text() + "# changed\n")
    out.mkdir()
    hidden = [f"mount -t tmpfs none {folder}" for folder in (Path(small_file).parent, out)]
    machines.plug(4)
    machines.start_ray(4, " && ".join([f"mount --bind {other_code} {ROOT}/study/messages/durations.py", *hidden]))
    try:
        command = line(small, small_file, out, "--address", "10.77.0.1:6379")
        driver = machines.popen(1, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        _, error = driver.communicate(timeout=240)
    finally:
        machines.end(4)
    assert driver.returncode == 2, error
    assert error.count("[machine4, 10.77.0.4]") == 3, error
    for problem in (
        "must have the same lvm_core/ and study/",
        "must be a readable file",
        "must see the study's folder",
    ):
        assert problem in error
    assert "machine2" not in error and "machine3" not in error, "sound machines are not named"
    assert error.count("\n") == 1, "one error"
    assert not (out / "s").exists(), "nothing is recorded"


@pytest.mark.slow
def test_a_study_continues_when_a_machine_is_unplugged(machines, small, small_file, sound, tmp_path):
    command = line(small, small_file, tmp_path, "--workers", "2", "--address", "10.77.0.1:6379")
    driver = machines.popen(1, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    cut = []

    def pull() -> None:
        machines.cut(3)
        cut.append(datetime.now(UTC))

    assert_ends_as(sound, tmp_path, driver, pull)
    after = rows(tmp_path).query("finished_at > @cut[0]")
    assert set(after.host) == {"machine2"}, "an unplugged machine records nothing"
