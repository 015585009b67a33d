"""What scikit-learn says of pairs of probability and truth, read as JSON from standard input."""

import json
import sys

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

probability, truth = (np.array(column, float) for column in zip(*json.load(sys.stdin)))
call = probability >= 0.5
share, mean = calibration_curve(truth, probability, n_bins=10)
counts, _ = np.histogram(probability, np.linspace(0, 1, 11))
counts = counts[counts > 0]
print(json.dumps({
    "accuracy": metrics.accuracy_score(truth, call),
    "sensitivity": metrics.recall_score(truth, call),
    "specificity": metrics.recall_score(truth, call, pos_label=0),
    "precision": metrics.precision_score(truth, call),
    "auroc": metrics.roc_auc_score(truth, probability),
    "auprc": metrics.average_precision_score(truth, probability),
    "brier": metrics.brier_score_loss(truth, probability),
    "calibration_error": float(np.sum(counts * np.abs(share - mean)) / len(truth)),
}))
