"""What holds for every command in scripts/."""

import pathlib
import subprocess

import pytest

SCRIPTS = pathlib.Path(__file__).parent.parent
COMMANDS = sorted(path for path in SCRIPTS.iterdir() if path.is_file())


def run(command, *arguments, folder="/"):
    return subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.name)
def test_help_says_what_it_does_and_how_to_call_it(command):
    assert command.stat().st_mode & 0o111, "it can be run"
    for option in ("-h", "--help"):
        help = run(command, option)
        assert (help.returncode, help.stderr) == (0, "")
        summary, *rest = help.stdout.splitlines()
        assert summary and not summary.startswith("#")
        assert any(line.startswith(f"  scripts/{command.name}") for line in rest), help.stdout
        assert "common.sh" not in help.stdout


@pytest.mark.parametrize("name, arguments", [
    ("bench", ["unknown"]), ("bench", ["http", "unknown"]), ("bench", ["records", "many"]),
    ("check-aarch64", ["--unknown"]), ("fuzz", ["never"]), ("fuzz", ["1", "unknown"]),
    ("package", ["--unknown"]), ("setup", ["--unknown"]), ("test", ["unknown"]), ("virtual-bench", ["one"]),
])
def test_a_wrong_call_is_refused(name, arguments):
    refused = run(SCRIPTS / name, *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"{name}: ")
    assert refused.stderr.endswith(f"; see scripts/{name} --help\n")


def test_a_command_works_through_a_relative_path():
    assert run("./demo", "--help", folder=SCRIPTS).returncode == 0
    assert run("lib/../test", "--help", folder=SCRIPTS).returncode == 0
