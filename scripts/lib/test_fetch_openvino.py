import zipfile

import pytest

import fetch_openvino

CONTENT = {
    "openvino/libs/libopenvino.so.2641": b"core",
    "openvino/libs/libopenvino_c.so.2641": b"c",
    "openvino/libs/libopenvino_ir_frontend.so.2641": b"ir",
    "openvino/libs/libtbb.so.12": b"tbb",
    "openvino/libs/libopenvino_intel_cpu_plugin.so": b"cpu",
    "openvino/libs/libopenvino_hetero_plugin.so": b"hetero",
    "openvino/libs/libopenvino_intel_gpu_plugin.so": b"gpu",
    "openvino/libs/libopenvino_intel_npu_plugin.so": b"npu",
    "openvino/libs/libopenvino_intel_npu_compiler.so": b"npu compiler",
    "openvino/libs/libopenvino_auto_plugin.so": b"not needed",
    "openvino/runtime/libopenvino.so.2641": b"elsewhere",
    "openvino-2026.4.1.dist-info/LICENSE": b"Apache",
    "openvino/LICENSE": b"another",
}


def wheel(folder, content=CONTENT):
    path = folder / "openvino-2026.4.1-cp312.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def fetch(folder, content=CONTENT, all_devices=False):
    fetch_openvino.fetch(folder, "x86_64", all_devices, download=lambda _, work: wheel(work, content))


def test_only_the_needed_libraries_and_the_licence_are_kept(tmp_path):
    folder = tmp_path / "runtime/openvino"
    fetch(folder)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files.pop("source.txt") == fetch_openvino.REQUIREMENTS.read_bytes()
    assert files == {
        "LICENSE": b"Apache",
        "libs/libopenvino.so.2641": b"core",
        "libs/libopenvino_c.so.2641": b"c",
        "libs/libopenvino_ir_frontend.so.2641": b"ir",
        "libs/libtbb.so.12": b"tbb",
        "libs/libopenvino_intel_cpu_plugin.so": b"cpu",
        "libs/libopenvino_hetero_plugin.so": b"hetero",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["openvino"], "nothing else is left"


def test_another_version_is_replaced_as_a_whole(tmp_path):
    folder = tmp_path / "openvino"
    (folder / "libs").mkdir(parents=True)
    (folder / "libs/libopenvino.so.2540").touch()
    (folder / "source.txt").write_text("openvino==2025.4.0\n")
    assert not fetch_openvino.is_current(folder)
    fetch(folder)
    assert fetch_openvino.is_current(folder)
    assert not (folder / "libs/libopenvino.so.2540").exists()


def test_an_incomplete_wheel_changes_nothing(tmp_path):
    folder = tmp_path / "openvino"
    fetch(folder)
    (folder / "source.txt").write_text("openvino==2025.4.0\n")
    incomplete = {name: data for name, data in CONTENT.items() if "tbb" not in name}
    with pytest.raises(FileNotFoundError, match="libtbb"):
        fetch(folder, incomplete)
    assert (folder / "libs/libtbb.so.12").read_bytes() == b"tbb"
    assert (folder / "source.txt").read_text() == "openvino==2025.4.0\n"
    assert [path.name for path in tmp_path.iterdir()] == ["openvino"]


def test_an_empty_folder_is_not_current(tmp_path):
    assert not fetch_openvino.is_current(tmp_path)


def test_the_plugins_of_other_devices_are_kept_if_they_are_asked_for(tmp_path):
    folder = tmp_path / "openvino"
    fetch(folder)
    assert fetch_openvino.is_current(folder)
    assert not fetch_openvino.is_current(folder, all_devices=True)
    fetch(folder, all_devices=True)
    for name, data in {"gpu_plugin": b"gpu", "npu_plugin": b"npu", "npu_compiler": b"npu compiler"}.items():
        assert (folder / f"libs/libopenvino_intel_{name}.so").read_bytes() == data
    assert not (folder / "libs/libopenvino_auto_plugin.so").exists()
    assert fetch_openvino.is_current(folder, all_devices=True)
    assert fetch_openvino.is_current(folder), "what is asked for later does not remove them"


def test_a_wheel_without_other_devices_is_enough(tmp_path):
    folder = tmp_path / "openvino"
    fetch(folder, {name: data for name, data in CONTENT.items() if "pu_" not in name or "_cpu_" in name}, True)
    assert fetch_openvino.is_current(folder, all_devices=True)
