"""The short form of `make torture`: a few faults at random moments, and the same study at the end."""

import pytest

from benchmarks.torture.__main__ import main


@pytest.mark.slow
def test_faults_at_random_moments_cost_no_recorded_trial_and_no_bit(small_file, capsys):
    names = ("workers outlive the driver", "a search row cut short")
    status = main(["--corpus", small_file, "--studies", "1", "--only", ",".join(names)])
    said = capsys.readouterr().out
    assert status == 0, said
    table = [[entry.strip() for entry in line.split("|")[1:-1]] for line in said.splitlines() if line.startswith("| ")]
    counts = {name: [int(entry) for entry in more] for name, *more in table[1:]}
    assert set(counts) == set(names)
    assert all(tries == survived == 1 and lost == 0 for tries, survived, lost, _ in counts.values()), said
