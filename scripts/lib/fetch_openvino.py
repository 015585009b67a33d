#!/usr/bin/env python3
"""Fetches the OpenVINO runtime: the C libraries in its wheel on PyPI, without Python.

The version and the hashes of the wheels are pinned in requirements/openvino.txt. Nothing is fetched if FOLDER has that
version with the devices that are asked for already.
"""

import argparse
import fnmatch
import pathlib
import platform
import subprocess
import sys
import tempfile
import zipfile

REQUIREMENTS = pathlib.Path(__file__).resolve().parent.parent / "requirements/openvino.txt"

# The wheel's platform and the plugin for the processor.
ARCHITECTURES = {
    "x86_64": ("manylinux_2_28_x86_64", "intel_cpu"),
    "aarch64": ("manylinux_2_35_aarch64", "arm_cpu"),
}


# The plugins of graphics and neural processors, with their compilers. A wheel has those of its architecture.
OTHER_DEVICES = ["libopenvino_*_gpu_plugin.so", "libopenvino_*_npu_*.so*"]

# Marks a folder that has them, in its source.txt.
ALL_DEVICES = b"# with the plugins of all devices\n"


def libraries(plugin):
    """Patterns of the libraries that smearscope needs to run a network on the processor."""
    return ["libopenvino.so.*", "libopenvino_c.so.*", "libopenvino_ir_frontend.so.*", "libtbb.so.*",
            f"libopenvino_{plugin}_plugin.so", "libopenvino_hetero_plugin.so"]


def stamp(all_devices):
    """The contents of source.txt."""
    return REQUIREMENTS.read_bytes() + (ALL_DEVICES if all_devices else b"")


def is_current(folder, all_devices=False):
    """Whether a folder holds the version that is pinned, with at least the devices that are asked for."""
    found = folder / "source.txt"
    wanted = [stamp(True)] if all_devices else [stamp(True), stamp(False)]
    return found.is_file() and found.read_bytes() in wanted


def extract(wheel, folder, plugin, all_devices=False):
    """Writes the libraries and the licence in a wheel to a folder."""
    required = libraries(plugin)
    patterns = required + (OTHER_DEVICES if all_devices else [])
    (folder / "libs").mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = pathlib.PurePosixPath(name)
            if path.parent.name == "libs" and any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
                (folder / "libs" / path.name).write_bytes(archive.read(name))
            elif path.name == "LICENSE" and path.parts[0].endswith(".dist-info"):
                (folder / "LICENSE").write_bytes(archive.read(name))
    for pattern in required:
        if not fnmatch.filter((path.name for path in (folder / "libs").iterdir()), pattern):
            raise FileNotFoundError(f"{wheel.name} has no {pattern}")


def download(wheel_platform, folder):
    """Downloads the wheel for a platform into a folder and checks its hash; its path."""
    # Any Python's wheel will do: only its C libraries are used.
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
         "--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--platform", wheel_platform,
         "--requirement", REQUIREMENTS, "--dest", folder],
        check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def fetch(folder, architecture, all_devices=False, download=download):
    """Makes the folder hold the runtime, all of it or as it was before."""
    wheel_platform, plugin = ARCHITECTURES[architecture]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch.", dir=folder.parent) as work:
        work = pathlib.Path(work)
        fresh = work / "openvino"
        extract(download(wheel_platform, work), fresh, plugin, all_devices)
        (fresh / "source.txt").write_bytes(stamp(all_devices))
        if folder.exists():
            folder.rename(work / "old")
        fresh.rename(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the runtime goes, such as .runtime/openvino")
    parser.add_argument("--architecture", default=platform.machine(), help="default: that of this machine")
    parser.add_argument("--all-devices", action="store_true", help="also the plugins of GPU and NPU")
    options = parser.parse_args()
    if options.architecture not in ARCHITECTURES:
        print(f"setup: OpenVINO has no wheel for {options.architecture}; the embedded engine will be used",
              file=sys.stderr)
    elif not is_current(options.folder, options.all_devices):
        print(f"setup: fetching the OpenVINO runtime into {options.folder}", file=sys.stderr)
        fetch(options.folder, options.architecture, options.all_devices)


if __name__ == "__main__":
    main()
