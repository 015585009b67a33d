"""Compares two outputs of `smearscope classify --json` for the same images.

Verdict, reason and engine must be equal; probabilities may differ by 0.0001: a hundredth of what golden samples may,
and far more than the order of additions causes.

    same_answers.py EXPECTED ACTUAL
"""

import json
import sys

TOLERANCE = 1e-4


def answers(path):
    with open(path) as lines:
        rows = [json.loads(line) for line in lines]
    return {row["path"]: row for row in rows if "path" in row}


def differences(expected, actual):
    """What is wrong, as messages; and how many images have a probability and the largest difference of those."""
    if not expected or expected.keys() != actual.keys():
        return [f"{len(expected)} images against {len(actual)}, not the same ones"], 0, 0.0
    largest, with_probability, wrong = 0.0, 0, []
    for path, one in expected.items():
        other = actual[path]
        for key in ("error", "verdict", "reason", "engine"):
            if one.get(key) != other.get(key):
                wrong.append(f"{path}: {key} {other.get(key)}, expected {one.get(key)}")
        pair = [row.get("probability") for row in (one, other)]
        if None not in pair:
            with_probability += 1
            largest = max(largest, abs(pair[0] - pair[1]))
        if (pair[0] is None) != (pair[1] is None) or None not in pair and abs(pair[0] - pair[1]) > TOLERANCE:
            wrong.append(f"{path}: probability {pair[1]}, expected {pair[0]}")
    if not with_probability:
        wrong.append("no image has a probability: nothing was compared")
    return wrong, with_probability, largest


def main(expected, actual):
    expected, actual = answers(expected), answers(actual)
    wrong, with_probability, largest = differences(expected, actual)
    if wrong:
        sys.exit("\n".join(f"same_answers: {message}" for message in wrong))
    print(f"{len(expected)} images, {with_probability} with a probability: they differ by {largest:.1e} at most")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
