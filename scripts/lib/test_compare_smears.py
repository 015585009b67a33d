import json

import cv2
import numpy
import pytest

import compare_smears


def test_distance_is_in_standard_deviations():
    values = numpy.random.default_rng(1).normal(0, 2, 20000)
    assert compare_smears.distance(values, values) == 0
    assert compare_smears.distance(values, values + 2) == pytest.approx(1, rel=0.02)


def test_each_source_counts_the_same():
    figures = compare_smears.Figures()
    for source, count, value in (("a", 1, 0.0), ("b", 9, 10.0)):
        for _ in range(count):
            figures.add(source, {"figure": value, "none": float("nan")})
    values, weights = figures.weighted("figure")
    assert numpy.average(values, weights=weights) == 5
    assert "none" not in figures.values


def test_covered_is_the_share_between_the_outermost_drawn_values():
    drawn = numpy.arange(101)
    values, weights = numpy.array([1.0, 50, 99, 200]), numpy.array([1, 1, 1, 1])
    assert compare_smears.covered(values, weights, drawn) == 0.25
    assert compare_smears.covered(values, numpy.array([0, 1, 0, 0]), drawn) == 1


def test_only_round_red_cells_in_view_are_the_ruler():
    boxes = [[10, 10, 36, 36], [0, 10, 20, 36], [60, 10, 36, 80], [10, 80, 40, 32]]
    assert compare_smears.red_cells_of(boxes, 200, 200) == [((28, 28), 36), ((30, 96), (40 * 32) ** 0.5)]


def collection(folder, seed):
    """Four noisy pictures with a white and a red cell, and their labels."""
    random = numpy.random.default_rng(seed)
    folder.mkdir()
    with open(folder / "labels.jsonl", "w") as lines:
        for number in range(4):
            picture = numpy.full((120, 160, 3), 220.0)
            cv2.circle(picture, (50, 60), 30, (120, 60, 140), -1)
            cv2.circle(picture, (120, 60), 18, (190, 150, 150), -1)
            picture += random.normal(0, 3, picture.shape)
            name = f"{number}.png"
            cv2.imwrite(str(folder / name), numpy.clip(picture, 0, 255).astype(numpy.uint8))
            cell = {"centre": [120, 60], "diameter_um": 7.2, "overlapped": False, "cut": False}
            labels = {"file": name, "view": "field", "um_per_pixel": 0.2, "erythrocytes": [cell],
                      "leukocytes": [{"box": [20, 30, 61, 61], "cut": False}]}
            lines.write(json.dumps(labels) + "\n")
            lines.write(json.dumps(labels | {"file": "missing.png", "view": "cut_out"}) + "\n")
    return folder


def test_the_table_shows_both_collections(tmp_path):
    figures = [compare_smears.drawn(collection(tmp_path / str(seed), seed)) for seed in range(3)]
    lines = compare_smears.table(figures[0], figures[1:])
    assert lines[0] == "| figure | real: 10 / 50 / 90 % | drawn | distance before | after | covered before | after |"
    side = next(line for line in lines if line.startswith("| leukocyte: side of box, µm |"))
    assert side.split(" | ")[1:3] == ["12.2 / 12.2 / 12.2"] * 2
    assert lines[-1].startswith("| **mean** |")
    alone = compare_smears.table(figures[0], figures[1:2])
    assert alone[0] == "| figure | real: 10 / 50 / 90 % | drawn | distance | covered |"
