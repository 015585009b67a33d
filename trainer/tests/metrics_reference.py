"""Figures and curves by scikit-learn, of rows of score, probability, call and truth, read as JSON from
standard input. Probabilities are judged as if both classes had as many images."""

import json
import sys

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.utils.class_weight import compute_sample_weight

score, probability, call, truth = (np.array(column, float) for column in zip(*json.load(sys.stdin)))
weights = compute_sample_weight("balanced", truth)
# It takes no weights, so both classes are repeated to the same number of images.
times = np.where(truth == 1, np.sum(truth == 0), np.sum(truth == 1))
share, mean = calibration_curve(np.repeat(truth, times), np.repeat(probability, times), n_bins=10)
in_bins, _ = np.histogram(probability, np.linspace(0, 1, 11), weights=weights)
in_bins = in_bins[in_bins > 0]
false_positives, true_positives, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
precision, recall, _ = metrics.precision_recall_curve(truth, score)
print(json.dumps({
    "figures": {
        "accuracy": metrics.accuracy_score(truth, call),
        "sensitivity": metrics.recall_score(truth, call),
        "specificity": metrics.recall_score(truth, call, pos_label=0),
        "precision": metrics.precision_score(truth, call),
        "auroc": metrics.roc_auc_score(truth, probability),
        "auprc": metrics.average_precision_score(truth, probability),
        "brier": metrics.brier_score_loss(truth, probability, sample_weight=weights),
        "calibration_error": float(np.sum(in_bins * np.abs(share - mean)) / np.sum(weights)),
    },
    "curves": {
        "roc": np.column_stack([false_positives, true_positives]).tolist(),
        # From the highest threshold on, without the point that scikit-learn adds at recall 0.
        "precision-recall": np.column_stack([recall, precision])[-2::-1].tolist(),
        "reliability": np.column_stack([mean, share]).tolist(),
    },
}))
