"""The short form of `make torture`: a driver dies over workers that outlive it, and the same study at the end."""

import pytest

from benchmarks.torture import __main__ as torture
from benchmarks.torture.study import space_for


def small_space(corpus: str) -> dict:
    """Two cells and four configurations each: three studies of it are to be run in a test."""
    space = space_for(corpus)
    space["cells"] = {"context_length": [1], "num_sequences": [40, 120]}
    space["racing"]["num_configs"] = 4
    return space


@pytest.mark.slow
def test_faults_at_random_moments_cost_no_recorded_trial_and_no_bit(small_file, capsys, monkeypatch):
    monkeypatch.setattr(torture, "space_for", small_space)
    fault = "workers outlive the driver"
    status = torture.main(["--corpus", small_file, "--studies", "1", "--kills", "0", "--only", fault])
    said = capsys.readouterr().out
    assert status == 0, said
    table = [[entry.strip() for entry in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("| ")]
    counts = {name: [int(entry) for entry in more] for name, *more in table[1:]}
    assert set(counts) == {fault}
    tries, survived, lost, _ = counts[fault]
    assert tries == survived == 1 and lost == 0, said
