"""Compares the look of drawn smears with real ones: distances of distributions, as a table in Markdown.

    compare_smears.py DRAWN [EARLIER] --real FOLDER

DRAWN and EARLIER are collections of fields as `smearscope-train synth` writes them; with EARLIER, distances of both are
shown. FOLDER has the real micrographs, with their boxes in `boxes.csv` and `centres.csv`.

distance: the 1-Wasserstein distance over the pooled standard deviation; each real source counts the same
covered: the share of the real values that lie between the 2nd and the 98th percentile of the drawn ones
"""

import argparse
import collections
import csv
import json
import pathlib

import cv2
import numpy
import smear_figures
from scipy.stats import wasserstein_distance

CU_WBC_PIXELS_PER_UM = 12
"""Of the one real source without boxes of red cells."""
LARGEST_RED_CELLS = 40
"""Red cells of a picture that are measured, at most."""


class Figures:
    """Values of each figure, and their weights."""

    def __init__(self):
        self.values = collections.defaultdict(list)
        self.sources = collections.defaultdict(list)

    def add(self, source, figures):
        for name, value in figures.items():
            if numpy.isfinite(value):
                self.values[name].append(value)
                self.sources[name].append(source)

    def weighted(self, name):
        """Values, and weights by which each source counts the same."""
        sources = self.sources[name]
        counts = collections.Counter(sources)
        return numpy.array(self.values[name]), numpy.array([1 / counts[source] for source in sources])


def read(path):
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"compare_smears: {path} cannot be read as an image")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def add_picture(figures, source, picture, um_per_pixel, leukocytes, red_cells):
    """Adds the figures of a picture and its cells. Leukocytes are boxes, red cells are centres with diameters."""
    whole, densities = smear_figures.of_picture(picture, um_per_pixel)
    figures.add(source, whole)
    height, width = picture.shape[:2]
    for box in leukocytes:
        left, top, across, down = box
        if left > 1 and top > 1 and left + across < width - 1 and top + down < height - 1:
            figures.add(source, smear_figures.of_leukocyte(densities, box, um_per_pixel))
    for centre, diameter in red_cells[:LARGEST_RED_CELLS]:
        figures.add(source, smear_figures.of_red_cell(densities, centre, diameter))
    diameters = [diameter for _, diameter in red_cells]
    if len(diameters) >= 8:
        figures.add(source, {"red cells: spread of diameters": float(numpy.std(diameters) / numpy.median(diameters))})


def drawn(folder):
    """Figures of a collection of drawn fields; single cells and cut-outs are left out."""
    figures = Figures()
    with open(folder / "labels.jsonl") as lines:
        for line in lines:
            labels = json.loads(line)
            if labels["view"] not in ("field", "crop"):
                continue
            scale = labels["um_per_pixel"]
            red_cells = [(cell["centre"], cell["diameter_um"] / scale) for cell in labels["erythrocytes"]
                         if not cell["overlapped"] and not cell["cut"]]
            leukocytes = [cell["box"] for cell in labels["leukocytes"] if not cell["cut"]]
            add_picture(figures, "drawn", read(folder / labels["file"]), scale, leukocytes, red_cells)
    return figures


def boxes(table):
    """Boxes of each image of a `boxes.csv`, by class."""
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(table, newline="") as lines:
        for row in csv.DictReader(lines):
            of_image = rows[row["image"]]
            if row["class"]:
                of_image[row["class"]].append([float(row[key]) for key in ("x", "y", "width", "height")])
    return rows


def in_view(box, width, height):
    left, top, across, down = box
    return left > 2 and top > 2 and left + across < width - 2 and top + down < height - 2


def red_cells_of(boxed, width, height):
    """Centres and diameters of the round red cells that are wholly in view."""
    cells = []
    for left, top, across, down in boxed:
        if in_view((left, top, across, down), width, height) and 0.75 < across / down < 1.33:
            cells.append(((left + across / 2, top + down / 2), (across * down) ** 0.5))
    return cells


def real(folder):
    """Figures of the real micrographs, each source by its own scale: red cells are the ruler."""
    figures = Figures()
    for source in ("txl-pbc/bccd", "txl-pbc/bcd", "txl-pbc/pbc"):
        for image, classes in boxes(folder / source / "boxes.csv").items():
            picture = read(folder / source / image)
            height, width = picture.shape[:2]
            red_cells = red_cells_of(classes["erythrocyte"], width, height)
            if len(red_cells) >= 3:
                scale = smear_figures.RED_CELL_UM / numpy.median([diameter for _, diameter in red_cells])
                add_picture(figures, source, picture, scale, classes["leukocyte"], red_cells)
    for image, classes in boxes(folder / "cu-wbc/boxes.csv").items():
        leukocytes = [box for boxed in classes.values() for box in boxed]
        picture = read(folder / "cu-wbc" / image)
        add_picture(figures, "cu-wbc", picture, 1 / CU_WBC_PIXELS_PER_UM, leukocytes, [])
    return figures


def distance(one, other, one_weights=None, other_weights=None):
    """1-Wasserstein distance over the pooled standard deviation."""
    def variance(values, weights):
        mean = numpy.average(values, weights=weights)
        return numpy.average((values - mean) ** 2, weights=weights)

    pooled = numpy.sqrt((variance(one, one_weights) + variance(other, other_weights)) / 2)
    between = wasserstein_distance(one, other, one_weights, other_weights)
    return float(between / pooled) if between else 0.0


def covered(values, weights, drawn_values):
    """The weighted share of values between the 2nd and the 98th percentile of the drawn ones."""
    low, high = numpy.percentile(drawn_values, [2, 98])
    return float(numpy.average((values >= low) & (values <= high), weights=weights))


def span(values):
    """10th, 50th and 90th percentile."""
    return " / ".join(f"{value:.3g}" for value in numpy.percentile(values, [10, 50, 90]))


def table(real_figures, collections_drawn):
    """Lines of a table in Markdown, and the mean distance of each collection."""
    last = collections_drawn[-1]
    heads = ["figure", "real: 10 / 50 / 90 %", "drawn"]
    heads += ["distance", "covered"] if len(collections_drawn) == 1 else \
        ["distance before", "after", "covered before", "after"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    totals = [[] for _ in collections_drawn]
    for name in last.values:
        if name not in real_figures.values:
            continue
        values, weights = real_figures.weighted(name)
        distances, shares = [], []
        for total, figures in zip(totals, collections_drawn):
            ours = numpy.array(figures.values[name])
            distances.append(distance(values, ours, weights))
            shares.append(covered(values, weights, ours))
            total.append((distances[-1], shares[-1]))
        cells = [name, span(values), span(last.values[name])]
        cells += [f"{value:.2f}" for value in distances] + [f"{100 * share:.0f} %" for share in shares]
        lines.append("| " + " | ".join(cells) + " |")
    means = [numpy.mean(total, axis=0) for total in totals]
    mean = ["**mean**", "", ""] + [f"**{one[0]:.2f}**" for one in means] + [f"**{100 * one[1]:.0f} %**" for one in means]
    return lines + ["| " + " | ".join(mean) + " |"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawn", type=pathlib.Path)
    parser.add_argument("earlier", type=pathlib.Path, nargs="?")
    parser.add_argument("--real", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    folders = [folder for folder in (arguments.earlier, arguments.drawn) if folder]
    print("\n".join(table(real(arguments.real), [drawn(folder) for folder in folders])))


if __name__ == "__main__":
    main()
