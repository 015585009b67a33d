"""Writes tests/fixtures/count.json: shares of blasts with their 95 % intervals, computed with SciPy.

The interval is that of Lang and Reiczigel 2014 (Prev Vet Med 113:13-22, equations 2, 4, 6, 7, 16 and 17), widened
to what Clopper and Pearson 1934 allow for a count without a blast, or of nothing else. Run from anywhere, with the
packages of .venv.
"""

import itertools
import json
import pathlib

import numpy as np
from scipy import stats

z = stats.norm.isf(0.025)


def estimate(blasts, cells, detected, positives, false, negatives):
    specific = negatives - false
    prevalence = (blasts / cells + specific / negatives - 1) / (detected / positives + specific / negatives - 1)

    n, n_se, n_sp = cells + z**2, positives + 2, negatives + 2
    apparent, se, sp = (blasts + z**2 / 2) / n, (detected + 1) / n_se, (specific + 1) / n_sp
    adjusted = (apparent + sp - 1) / (se + sp - 1)
    shift = 2 * z**2 * (adjusted * se * (1 - se) / n_se - (1 - adjusted) * sp * (1 - sp) / n_sp)
    variance = apparent * (1 - apparent) / n
    variance += adjusted**2 * se * (1 - se) / n_se + (1 - adjusted) ** 2 * sp * (1 - sp) / n_sp
    variance /= (se + sp - 1) ** 2
    low, high = adjusted + shift + np.array([-1, 1]) * z * np.sqrt(variance)

    low = min(low, stats.beta.ppf(0.025, cells, 1))
    high = max(high, stats.beta.isf(0.025, 1, cells))
    return float(np.clip(prevalence, 0, 1)), [float(end) for end in np.clip([low, high], 0, 1)]


rows = []
measured = [((380, 400), (40, 4000)), ((30, 30), (0, 100)), ((170, 200), (40, 800))]
for (cells, part), (sensitivity, false) in itertools.product(
    [(1, 0), (1, 1), (50, 0), (140, 12), (200, 0), (200, 63), (200, 200), (500, 9), (500, 250)], measured
):
    share, interval = estimate(part, cells, *sensitivity, *false)
    rows.append(
        {
            "cells": cells,
            "blasts": part,
            "sensitivity": sensitivity,
            "false_positives": false,
            "share": share,
            "interval": interval,
        }
    )
text = ",\n".join(json.dumps(row) for row in rows)
(pathlib.Path(__file__).parent / "fixtures" / "count.json").write_text(f"[\n{text}\n]\n")
