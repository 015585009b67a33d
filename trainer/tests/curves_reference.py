"""The points of curves as scikit-learn has them, of rows of score, probability and truth, read as
JSON from standard input."""

import json
import sys

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

score, probability, truth = (np.array(column, float) for column in zip(*json.load(sys.stdin)))
false_positives, true_positives, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
precision, recall, _ = metrics.precision_recall_curve(truth, score)
share, mean = calibration_curve(truth, probability, n_bins=10)
print(json.dumps({
    "roc": np.column_stack([false_positives, true_positives]).tolist(),
    # From the highest threshold on, without the point that scikit-learn adds at recall 0.
    "precision-recall": np.column_stack([recall, precision])[-2::-1].tolist(),
    "reliability": np.column_stack([mean, share]).tolist(),
}))
