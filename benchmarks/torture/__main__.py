"""Torture studies: inject faults at random moments, resume each time, compare with an undisturbed study.

    python -m benchmarks.torture --corpus kalman --minutes 8

Prints one line per fault. tries: injections; survived: it ended as documented (docs/faults.md), and the next run
resumed; lost: trials recorded before the fault but not at the study's end; repeated: trials recorded before the fault
that ran again (those with damaged records must). The first study and every second one after it get at least 20 faults
that end the driver; the others get every fault once. Exit status 1 if a study ended differently from the undisturbed
one.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml

from benchmarks.torture.broken import BROKEN, break_trials, forget_diverged
from benchmarks.torture.compare import Count, Watch, differences, recorded
from benchmarks.torture.faults import OF_RECORDS, Fault, Tortured, as_problem
from benchmarks.torture.refusals import OF_SURROUNDINGS
from benchmarks.torture.study import Pace, Runner, space_for

FAULTS = OF_RECORDS + OF_SURROUNDINGS


def main(arguments: list[str] | None = None) -> int:
    """Run for the given minutes, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.torture", description=__doc__)
    parser.add_argument("--corpus", default="kalman")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--studies", type=int, default=None, help="maximum number of studies to torture")
    parser.add_argument("--kills", type=int, default=20, help="of the driver, in every second study")
    parser.add_argument("--only", default="", help="only faults whose name contains one of these words, e.g. row,hung")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lvm-torture-") as folder:
        return Torture(Path(folder), options).run()


class Torture:
    """One run: an undisturbed study, then tortured ones until the time is up."""

    def __init__(self, folder: Path, options: argparse.Namespace):
        self.folder, self.options = folder, options
        self.began, self.rng = time.monotonic(), random.Random(options.seed)
        self.space = space_for(options.corpus)
        self.replicates = self.space["replicates"] + 1  # the last one is for broken trials
        words = options.only.split(",")
        self.selected = [
            name for name in (*(f.name for f in FAULTS), *BROKEN.values()) if any(w in name for w in words)
        ]
        self.counts = {name: Count() for name in self.selected}
        self.skipped = [fault.name for fault in FAULTS if fault.name in self.counts and not fault.is_allowed()]
        self.problems: list[str] = []
        self.in_turn = [f for f in FAULTS if f.name in self.counts and f.name not in self.skipped]
        self.faults = self.faults_in_turn()
        self.pending: Fault | None = next(self.faults, None)  # the next one, kept if a study ended before it

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.began + 60 * self.options.minutes

    def run(self) -> int:
        """Torture studies one after the other, print the table, and return the exit status."""
        path = self.folder / "space.yaml"
        path.write_text(yaml.safe_dump(self.space))
        calm, pace = self.undisturbed(Runner(str(path), self.options.corpus, self.folder / "undisturbed", self.workers))
        num_studies = 0
        while not self.is_over and num_studies != self.options.studies:
            num_studies += 1
            runner = Runner(str(path), self.options.corpus, self.folder / f"tortured-{num_studies}", self.workers)
            self.torture(Tortured(runner, pace), self.options.kills if num_studies % 2 == 1 else 0)
            self.problems += [f"study {num_studies}: {found}" for found in differences(runner.study, calm.study)]
        self.show(num_studies)
        return 1 if self.problems else 0

    @property
    def workers(self) -> int:
        return self.options.workers

    def undisturbed(self, runner: Runner) -> tuple[Runner, Pace]:
        """Run the reference study, and measure its pace."""
        started = time.time()
        ended = runner.run("--set", f"replicates={self.replicates}")
        assert ended.status == 0, ended.output
        first = pd.read_parquet(runner.study / "trials").started_at.min().timestamp()
        pace = Pace(first - started, time.time() - first)
        say(f"undisturbed: {len(recorded(runner.study))} trials, {pace.start_s:.0f} s + {pace.work_s:.0f} s")
        return runner, pace

    def faults_in_turn(self) -> Iterator[Fault]:
        """Yield all faults in random order, again and again."""
        while self.in_turn:
            yield from self.rng.sample(self.in_turn, len(self.in_turn))

    def torture(self, tortured: Tortured, kills_wanted: int) -> None:
        """Inject one round of faults, or as many rounds as needed for `kills_wanted`; then break trials."""
        watch, num_faults, num_tries = Watch(self.counts), 0, 0
        most_tries = 3 * max(len(self.in_turn), kills_wanted)
        while not (self.is_over or tortured.is_done or num_tries == most_tries):
            if num_faults >= len(self.in_turn) and (tortured.num_kills >= kills_wanted or not self.in_turn):
                break
            num_tries += 1
            if self.inject(tortured, self.pending, watch):
                num_faults, self.pending = num_faults + 1, next(self.faults)
        self.finish(tortured, watch)

    def inject(self, tortured: Tortured, fault: Fault, watch: Watch) -> bool:
        """Inject a fault if it is possible now, and count it. Returns whether it was."""
        if fault.at_rest:
            while tortured.driver is not None or not (tortured.study / "manifest.json").exists():
                self.stop(tortured)
        elif not tortured.runs(self.rng):
            ended = tortured.ended()
            self.problems += [f"between faults: {problem}" for problem in as_problem(ended)] if ended.status else []
            return False
        watch.see(tortured.study, fault.name)
        problems = fault.inject(tortured, self.rng)
        if problems is None:
            return False
        self.count(fault.name, problems)
        say(f"{fault.name}: {'; '.join(problems) or 'survived'}, {len(recorded(tortured.study))} trials recorded")
        return True

    def stop(self, tortured: Tortured) -> None:
        """Stop a study after something has been recorded."""
        if tortured.runs(self.rng):
            tortured.driver.process.terminate()
        tortured.num_kills += not tortured.driver.has_ended
        ended = tortured.ended()
        self.problems += (
            [f"at rest: {problem}" for problem in as_problem(ended)] if ended.status not in (130, -15, 0) else []
        )

    def finish(self, tortured: Tortured, watch: Watch) -> None:
        """Run a study to its end, after breaking trials if that is selected."""
        if tortured.driver is not None:
            self.stop(tortured)
        if kinds := [kind for kind, name in BROKEN.items() if name in self.counts]:
            watch.see(tortured.study, BROKEN[kinds[0]])
            kinds = self.rng.sample(kinds, len(kinds))
            for name, problems in break_trials(tortured.runner, kinds, self.replicates).items():
                self.count(name, problems)
                say(f"{name}: {'; '.join(problems) or 'survived'}")
            forget_diverged(tortured.study)
        ended = tortured.runner.run("--set", f"replicates={self.replicates}")
        if ended.status != 0:
            self.problems += [f"the last resume: {problem}" for problem in as_problem(ended)]
        watch.close(tortured.study)
        say(f"finished: {tortured.num_kills} drivers killed, {len(recorded(tortured.study))} trials recorded")

    def count(self, name: str, problems: list[str]) -> None:
        self.counts[name].tries += 1
        self.counts[name].survived += not problems
        self.problems += [f"{name}: {problem}" for problem in problems]

    def show(self, num_studies: int) -> None:
        """Print one line per fault."""
        print(f"\n| {'fault':28} | tries | survived | lost | repeated |\n|---|---|---|---|---|")
        for name, count in self.counts.items():
            numbers = f"{count.tries} | {count.survived} | {count.lost} | {count.repeated}"
            print(f"| {name:28} | {'skipped: not permitted | | |' if name in self.skipped else numbers} |")
        total, wall_s = sum(count.tries for count in self.counts.values()), time.monotonic() - self.began
        same = "all identical to the undisturbed one, bit by bit"
        ended = f"{len(self.problems)} problems" if self.problems else same
        print(f"{num_studies} studies tortured, {total} faults, {wall_s / 60:.1f} min; {ended}")
        for problem in self.problems:
            print(f"problem: {problem}")
        if any(count.tries == 0 for name, count in self.counts.items() if name not in self.skipped):
            print("not every fault was injected: raise --minutes")


def say(sentence: str) -> None:
    """Print without buffering."""
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
