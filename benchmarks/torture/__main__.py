"""Torture studies: provoke faults at random moments, resume each time, compare with an undisturbed study.

    python -m benchmarks.torture --corpus kalman --minutes 8

Prints one line a fault. tries: how often it was provoked; survived: the driver ended as documented, without a
traceback, and the next run went on; lost: trials recorded before the fault and not after it; repeated: trials recorded
before the fault that ran again (a damaged record's must). Exit status 1 if a study ended other than the undisturbed.
"""

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.torture.compare import differences, recorded
from benchmarks.torture.faults import FAULTS, Fault
from benchmarks.torture.study import Runner, space_for


@dataclass
class Count:
    """One line of the table."""

    tries: int = 0
    survived: int = 0
    lost: int = 0
    repeated: int = 0


def main(arguments: list[str] | None = None) -> int:
    """Run for the minutes given, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.torture", description=__doc__)
    parser.add_argument("--corpus", default="kalman")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--faults", type=int, default=None, help="provoke so many and no more")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lvm-torture-") as folder:
        return torture(Path(folder), options)


def torture(folder: Path, options: argparse.Namespace) -> int:
    """Torture studies one after the other until the time is over."""
    began, rng = time.monotonic(), random.Random(options.seed)
    space = folder / "space.yaml"
    space.write_text(yaml.safe_dump(space_for(options.corpus)))
    calm = Runner(str(space), options.corpus, folder / "undisturbed", options.workers)
    ended = calm.run()
    assert ended.status == 0, ended.said
    print(f"undisturbed: {len(recorded(calm.study))} trials in {ended.wall_s:.0f} s", flush=True)
    counts, problems, num_studies = {fault.name: Count() for fault in FAULTS}, [], 0
    queue, over = faults_in_turn(rng, options.faults), began + 60 * options.minutes
    fault = next(queue, None)
    while fault is not None and time.monotonic() < over:
        num_studies += 1
        watch = Watch(counts)
        runner = Runner(str(space), options.corpus, folder / f"tortured-{num_studies}", options.workers)
        at_end = False
        while fault is not None and not at_end and time.monotonic() < over:
            at_end = provoke(runner, fault, rng, ended.wall_s, watch, problems)
            fault = next(queue, None)
        problems += finish(runner, calm, watch)
    show(counts, num_studies, time.monotonic() - began, problems)
    return 1 if problems else 0


def faults_in_turn(rng: random.Random, limit: int | None):
    """Yield every fault once in random order, again and again."""
    count = 0
    while limit is None or count < limit:
        for fault in rng.sample(FAULTS, len(FAULTS)):
            count += 1
            if limit is None or count <= limit:
                yield fault


@dataclass
class Watch:
    """Follows the records of one study from fault to fault, and charges each fault with what it cost."""

    counts: dict[str, Count]
    latest: dict[str, tuple[object, str]] = field(default_factory=dict)

    def see(self, study: Path, fault: str) -> None:
        """Take in what is recorded just before a fault: a trial that has ended anew was repeated."""
        for trial_id, when in recorded(study).items():
            if trial_id in self.latest and self.latest[trial_id][0] != when:
                self.counts[self.latest[trial_id][1]].repeated += 1
            self.latest[trial_id] = (when, fault)

    def close(self, study: Path) -> None:
        """Take in the end of a study: a trial that is not there any more was lost."""
        gone = set(self.latest) - set(recorded(study))
        for trial_id in gone:
            self.counts[self.latest[trial_id][1]].lost += 1
        self.see(study, "none")


def provoke(runner: Runner, fault: Fault, rng: random.Random, calm_s: float, watch: Watch, problems: list[str]) -> bool:
    """Start or resume, provoke at a random moment, and count; return whether the study reached its end."""
    driver = runner.start()
    runner.wait(driver, rng.uniform(0.25 * calm_s, 0.6 * calm_s))
    watch.see(runner.study, fault.name)
    hit = fault.provoke(driver, runner.study, rng)
    ended = runner.end_of(driver)
    if hit:
        sound = ended.status in (*fault.statuses, 0) and "Traceback" not in ended.said
        watch.counts[fault.name].tries += 1
        watch.counts[fault.name].survived += sound
        print(f"{fault.name}: status {ended.status}, {len(recorded(runner.study))} trials recorded", flush=True)
        if not sound:
            problems.append(f"{fault.name}: status {ended.status}: {ended.said[-2000:]}")
    return ended.status == 0


def finish(runner: Runner, calm: Runner, watch: Watch) -> list[str]:
    """Resume a study to its end and compare it."""
    ended = runner.run()
    if ended.status != 0:
        return [f"{runner.study}: the last resume ended with {ended.status}: {ended.said[-2000:]}"]
    watch.close(runner.study)
    return [f"{runner.study}: {difference}" for difference in differences(runner.study, calm.study)]


def show(counts: dict[str, Count], num_studies: int, wall_s: float, problems: list[str]) -> None:
    """Print one line a fault."""
    print(f"\n| {'fault':28} | tries | survived | lost | repeated |\n|---|---|---|---|---|")
    for name, count in counts.items():
        print(f"| {name:28} | {count.tries} | {count.survived} | {count.lost} | {count.repeated} |")
    total = sum(count.tries for count in counts.values())
    same = f"{num_studies} studies tortured, {total} faults, {wall_s / 60:.1f} min; "
    print(same + (f"{len(problems)} problems" if problems else "all ended as the undisturbed one, to the bit"))
    for problem in problems:
        print(f"problem: {problem}")
    if any(counts[fault.name].tries == 0 for fault in FAULTS):
        print("not every fault was provoked: give it more minutes")


if __name__ == "__main__":
    sys.exit(main())
