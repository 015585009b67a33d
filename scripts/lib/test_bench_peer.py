"""The Python peer that counts cells: its steps against the reference of the tests, and its counts against smearscope's."""

import sys

import cv2
import numpy as np
import pytest

from bench_peer import ROOT, CellsModel, crops, density, empty_light, peaks, relative_density, surface, tile_starts

sys.path.append(str(ROOT / "model-artifacts/tests"))
import cells_reference


@pytest.fixture
def field():
    """A field of dark discs, whose light falls off towards the right."""
    rng = np.random.default_rng(1)
    pixels = np.full((432, 576, 3), (210, 220, 230), np.uint8)
    for x, y in rng.integers(0, (576, 432), (40, 2)):
        cv2.circle(pixels, (int(x), int(y)), 12, (200, 120, 140), -1)
    return (pixels * np.linspace(1, 0.8, 576)[:, None] + rng.normal(0, 1, pixels.shape)).round().clip(0, 255).astype(np.uint8)


def test_density_is_that_of_the_reference(field):
    rgb = field[..., ::-1]
    light = cells_reference.background(rgb)
    ours = empty_light(field)
    assert np.abs(surface(ours, 432, 576).transpose(1, 2, 0) - light[..., :2]).max() < 0.005
    assert np.abs(density(field, ours) - cells_reference.density(rgb, light)).max() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_peaks_are_those_of_the_reference(seed):
    rng = np.random.default_rng(seed)
    scores = cv2.GaussianBlur(rng.random((60, 80), np.float32) ** 8, (3, 3), 0)
    log_diameters = rng.normal(2.5, 0.3, scores.shape).astype(np.float32)
    expected = cells_reference.peaks(scores, log_diameters, 0.3, 4)
    found = np.stack(peaks(scores, log_diameters, 0.3, 4), axis=1)
    assert 5 < len(expected) == len(found)
    np.testing.assert_allclose(found, expected[:, :2], atol=1e-3)


def test_a_map_without_peaks_has_no_cells():
    x, y = peaks(np.zeros((6, 8), np.float32), np.zeros((6, 8), np.float32), 0.3, 4)
    assert len(x) == len(y) == 0


def test_the_place_of_a_cell_is_the_middle_of_its_crop():
    plane = np.zeros((20, 30), np.float32)
    plane[4:6, 27:29] = 1
    cell, = crops(plane, np.array([28.2]), np.array([4.9]), 8)
    assert (np.argwhere(cell) == [[3, 3], [3, 4], [4, 3], [4, 4]]).all()


def test_a_cell_looks_as_in_the_reference():
    planes = np.random.default_rng(2).random((2, 96, 96)).astype(np.float32)
    ours = relative_density(planes.mean(axis=0)[None], 0.25)[0]
    np.testing.assert_allclose(ours, cells_reference.cell_input(planes, 0.25), atol=1e-5)


@pytest.mark.parametrize("length, starts", [(100, [0]), (256, [0]), (257, [0, 176]), (432, [0, 176]), (433, [0, 176, 352])])
def test_tiles_reach_to_the_end_of_a_field(length, starts):
    assert list(tile_starts(length, 256, 40)) == starts


def test_cells_are_found_and_counted_as_by_smearscope(monkeypatch):
    model = CellsModel()
    finder, cell = model.request()
    for found, counted in zip(model.manifest["finder"]["golden"], model.manifest["golden"], strict=True):
        assert found["image"] == counted["image"]
        monkeypatch.setattr(model, "UM_PER_PIXEL", found["um_per_pixel"])
        pixels = cv2.imread(str(model.FOLDER / found["image"]["path"]))
        planes = density(model.resized(pixels, found["um_per_pixel"], model.finder_input), empty_light(pixels))
        x, y = model.found(finder, planes)
        assert len(x) == len(y) == found["leukocytes"]
        # smearscope may find a cell unclear.
        count = model.answer((finder, cell), pixels)["count"]
        assert count["cells"] - counted["cells"] in (0, 1)


def test_a_picture_of_a_camera_holds_tens_of_cells():
    pictures = CellsModel.pictures()
    assert len(pictures) == 8
    assert {cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape for picture in pictures.values()} == {
        (1944, 2592, 3)}
