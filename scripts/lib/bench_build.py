#!/usr/bin/env python3
"""Processor time of a cold build of the appliance: the profile of scripts/demo against the release profile.

Each is built once into an empty folder, from crates that are already downloaded. Other load on the machine changes the
wall time, and the processor time only a little.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from measure import measure, print_table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROFILES = ("demo", "release")


def build(profile, *, cargo="cargo", package="smearscope"):
    """Builds a package from nothing; its figures."""
    target = ROOT / "target"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-build.", dir=target) as folder:
        print(f"bench: building with profile {profile}", file=sys.stderr)
        run = measure(
            [cargo, "build", "--locked", "--package", package, "--profile", profile, "--message-format", "json"],
            environment={"CARGO_TARGET_DIR": folder, "RUSTC_WRAPPER": ""}, stderr=None)
        messages = [json.loads(line) for line in run.output.splitlines()]
        artifacts = [message for message in messages if message["reason"] == "compiler-artifact"]
        binary = next(artifact["executable"] for artifact in reversed(artifacts) if artifact.get("executable"))
        return {
            "processor time [min]": run.processor_s / 60,
            "wall time [min]": run.wall_s / 60,
            "crates and build scripts": len(artifacts),
            "binary [MiB]": os.path.getsize(binary) / 2**20,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=ROOT, check=True)
    figures = {profile: build(profile) for profile in PROFILES}
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "profiles": figures}, indent=2))
    else:
        print(f"cold build of smearscope, {os.cpu_count()} cores")
        print_table(figures)


if __name__ == "__main__":
    main()
