import sys

import pytest

from measure import measure, table


def test_a_run_is_measured_with_its_child_processes():
    spin = "import time\nwhile time.process_time() < 0.2: pass\n"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}]); print('done')"
    run = measure([sys.executable, "-c", child])
    assert run.output == "done\n"
    assert 0.2 <= run.processor_s < 5
    assert run.wall_s > 0
    assert 1 < run.peak_mib < 1000


def test_the_environment_is_added_to():
    run = measure([sys.executable, "-c", "import os; print(os.environ['A'], 'PATH' in os.environ)"], environment={"A": "1"})
    assert run.output == "1 True\n"


def test_a_failure_ends_the_program():
    with pytest.raises(SystemExit, match="status 3: no luck"):
        measure([sys.executable, "-c", "print('no luck'); raise SystemExit(3)"])


def test_a_table_has_both_and_their_ratio():
    header, row = table({"ours": {"time [ms]": 2.0}, "theirs": {"time [ms]": 8.0}})
    assert header.split() == ["ours", "theirs", "ratio"]
    assert row.split() == ["time", "[ms]", "2.00", "8.00", "0.25"]
