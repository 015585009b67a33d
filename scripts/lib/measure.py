"""Runs programs under measurement and prints their figures side by side."""

import dataclasses
import os
import subprocess
import sys
import time


@dataclasses.dataclass(frozen=True)
class Run:
    """What a program printed and what it cost, with all its child processes."""

    output: str
    wall_s: float
    processor_s: float
    """User and system time."""
    peak_mib: float


def measure(command, *, environment=None, stderr=subprocess.DEVNULL):
    """Runs a command to its end. Ends this program if it fails.

    `environment` is added to that of this program.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=os.environ | (environment or {}), stdout=subprocess.PIPE, stderr=stderr, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed with status {process.returncode}: {output[:300]}")
    return Run(output, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def table(figures):
    """The figures of two programs and the ratio of the first to the second, as lines of text.

    `figures` has a dictionary of figures by name for each of the two.
    """
    (first, ours), (second, theirs) = figures.items()
    lines = [f"{'':46}{first:>12}{second:>12}{'ratio':>8}"]
    for figure, value in ours.items():
        lines.append(f"{figure:46}{value:12.2f}{theirs[figure]:12.2f}{value / theirs[figure]:8.2f}")
    return lines


def print_table(figures):
    """Prints what `table` returns."""
    print("\n".join(table(figures)))
