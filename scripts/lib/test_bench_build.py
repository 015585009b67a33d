import json
import sys

import bench_build

# Stands in for cargo: builds a "binary" where it is told to, and reports it as cargo does.
CARGO = """#!{python}
import json, os, sys
binary = os.path.join(os.environ["CARGO_TARGET_DIR"], "smearscope")
assert not os.listdir(os.environ["CARGO_TARGET_DIR"]), "the build is not cold"
open(binary, "wb").write(bytes(2**20))
print(json.dumps({{"reason": "compiler-artifact", "executable": None}}))
print(json.dumps({{"reason": "compiler-artifact", "executable": binary}}))
print(json.dumps({{"reason": "build-finished", "success": True}}))
print(json.dumps({{"arguments": sys.argv[1:]}}), file=sys.stderr)
"""


def test_a_build_is_cold_and_leaves_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(bench_build, "ROOT", tmp_path)
    cargo = tmp_path / "cargo"
    cargo.write_text(CARGO.format(python=sys.executable))
    cargo.chmod(0o755)
    figures = bench_build.build("demo", cargo=str(cargo))
    assert figures["binary [MiB]"] == 1.0
    assert figures["crates and build scripts"] == 2
    assert 0 < figures["processor time [min]"] < 0.1
    assert list((tmp_path / "target").iterdir()) == []
    arguments = json.loads(capfd.readouterr().err.splitlines()[-1])["arguments"]
    assert arguments[:6] == ["build", "--locked", "--package", "smearscope", "--profile", "demo"]
