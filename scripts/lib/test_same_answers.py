import pytest

from same_answers import answers, differences

FIELD = {"path": "a.jpg", "verdict": "positive", "probability": 0.91, "engine": "embedded"}
REFUSED = {"path": "b.jpg", "verdict": "inconclusive", "reason": "focus", "engine": "embedded"}
EXPECTED = {"a.jpg": FIELD, "b.jpg": REFUSED}


def test_equal_answers_have_no_differences():
    assert differences(EXPECTED, EXPECTED) == ([], 1, 0.0)


def test_probabilities_may_differ_a_little():
    wrong, _, largest = differences(EXPECTED, EXPECTED | {"a.jpg": FIELD | {"probability": 0.91005}})
    assert wrong == []
    assert largest == pytest.approx(5e-5)


@pytest.mark.parametrize("change, message", [
    ({"probability": 0.9102}, "probability 0.9102, expected 0.91"),
    ({"probability": None}, "probability None, expected 0.91"),
    ({"verdict": "negative"}, "verdict negative, expected positive"),
    ({"engine": "openvino"}, "engine openvino, expected embedded"),
    ({"error": "no image"}, "error no image, expected None"),
])
def test_a_difference_is_named(change, message):
    wrong, _, _ = differences(EXPECTED, EXPECTED | {"a.jpg": FIELD | change})
    assert wrong[0] == f"a.jpg: {message}"


def test_other_images_cannot_be_compared():
    for actual in ({}, {"a.jpg": FIELD}):
        wrong, _, _ = differences(EXPECTED, actual)
        assert wrong == [f"2 images against {len(actual)}, not the same ones"]


def test_without_probabilities_nothing_was_compared():
    only = {"b.jpg": REFUSED}
    wrong, _, _ = differences(only, only)
    assert wrong == ["no image has a probability: nothing was compared"]


def test_lines_without_an_image_do_not_count(tmp_path):
    file = tmp_path / "lines"
    file.write_text('{"path": "a.jpg", "verdict": "positive"}\n{"model": "smear-demo"}\n')
    assert answers(file) == {"a.jpg": {"path": "a.jpg", "verdict": "positive"}}
