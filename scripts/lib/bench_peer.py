"""What the comparisons with Python share: the models as OpenCV and OpenVINO's API run them, and their pictures."""

import os
import pathlib
import sys
import tomllib

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SIZE = (2592, 1944)
# Decimal logarithm of each 8-bit sample plus one, of which densities are differences.
LEVELS = np.log10(np.arange(256, dtype=np.float32) + 1)


def compiled(path, hint):
    """A network on the processor, for single inputs (hint `LATENCY`) or many at once (`THROUGHPUT`)."""
    import openvino as ov

    core = ov.Core()
    core.set_property("CPU", {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"})
    return core.compile_model(core.read_model(path), "CPU")


def run_all(queue, inputs, *names):
    """The outputs of these names for each input, in the order of the inputs."""
    outputs = {}
    queue.set_callback(
        lambda request, number: outputs.update({number: [request.get_tensor(name).data.copy() for name in names]}))
    for number, tensor in enumerate(inputs):
        queue.start_async({0: tensor}, number)
    queue.wait_all()
    return [outputs[number] for number in range(len(inputs))]


def jpeg(pixels):
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


class Model:
    """A model folder, how smearscope is called with it, and the pictures to measure it with.

    An instance is the Python peer: `answer` gives what smearscope's JSON has, for an image as OpenCV reads it.
    """

    # Its folder.
    FOLDER = None
    # Size of a pixel of its pictures, µm; 0: it does not ask.
    UM_PER_PIXEL = 0.0
    # What `number` counts or measures.
    RESULT = None

    @classmethod
    def options(cls):
        """Options of `smearscope classify`."""
        scale = ["--um-per-pixel", str(cls.UM_PER_PIXEL)] if cls.UM_PER_PIXEL else []
        return ["--engine", "openvino", "--model", str(cls.FOLDER), *scale]

    @classmethod
    def path(cls):
        """Where `smearscope run` classifies images."""
        return "/v1/classify" + (f"?um_per_pixel={cls.UM_PER_PIXEL}" if cls.UM_PER_PIXEL else "")

    @classmethod
    def result(cls, answer):
        """The number that an answer is about. Ends this program if it has none."""
        number = cls.number(answer)
        if number is None:
            sys.exit(f"bench: the model was not asked: {str(answer)[:300]}")
        return number

    @classmethod
    def write_pictures(cls, folder):
        """Writes the pictures into a folder; their paths."""
        paths = []
        for name, picture in cls.pictures().items():
            paths.append(os.path.join(folder, name))
            pathlib.Path(paths[-1]).write_bytes(picture)
        return paths

    def __init__(self):
        self.manifest = tomllib.loads((self.FOLDER / "manifest.toml").read_text())


class FieldModel(Model):
    """One network judges the whole field."""

    FOLDER = ROOT / "model-artifacts/smear-demo"
    RESULT = "probabilities"
    # At which size smearscope decodes its pictures.
    DECODED = cv2.IMREAD_REDUCED_COLOR_2

    def __init__(self):
        super().__init__()
        self.contract = self.manifest["input"]
        assert self.contract["layout"] == "nchw" and self.contract["resize"] == "area"
        self.mean = np.array(self.contract["mean"], np.float32)
        self.std = np.array(self.contract["std"], np.float32)
        self.positive = self.manifest["labels"]["positive_index"]
        self.file = self.FOLDER / self.manifest["files"]["ir_xml"]["path"]
        self.network = compiled(self.file, "LATENCY")

    def request(self):
        return self.network.create_infer_request()

    def answer(self, request, pixels):
        contract = self.contract
        pixels = cv2.resize(pixels, (contract["width"], contract["height"]), interpolation=cv2.INTER_AREA)
        if contract["channels"] == "rgb":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        tensor = (pixels.astype(np.float32) * np.float32(contract["scale"]) - self.mean) / self.std
        tensor = np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])
        return {"probability": float(request.infer({0: tensor})["probability"][0, self.positive])}

    def runs(self, answer):
        """How often each network runs for a picture with this answer of smearscope, by its file."""
        return {self.file: 1}

    @staticmethod
    def number(answer):
        return answer["probability"]

    @staticmethod
    def agreement(ours, theirs):
        """How far the results of both are apart, in words."""
        return f"probabilities at most {max(abs(a - b) for a, b in zip(ours, theirs)):.4f} apart"

    @staticmethod
    def source():
        """Real micrographs if SMEARSCOPE_MICROGRAPHS names them, else the shipped fields."""
        micrographs = os.environ.get("SMEARSCOPE_MICROGRAPHS")
        return pathlib.Path(micrographs, "bccd") if micrographs else ROOT / "hardware/fields"

    @classmethod
    def pictures(cls):
        """The images of the source, enlarged to the size of a camera's, as JPEG files by name."""
        return {
            path.name: jpeg(cv2.resize(cv2.imread(str(path)), SIZE, interpolation=cv2.INTER_CUBIC))
            for path in sorted(cls.source().glob("*.jpg"))}


class CellsModel(Model):
    """A finder finds the leukocytes of a field, and the cell network looks at each.

    The finder's network has a fixed size, so that it runs on tiles, and the cell network on a fixed number of cells.
    smearscope does more: its gate measures the picture, red cells are found and must not contradict the scale,
    and cells that are unlike those of the training or contradict their measured figures are unclear.
    """

    FOLDER = ROOT / "model-artifacts/smear-cells"
    UM_PER_PIXEL = 0.11
    RESULT = "leukocytes"
    # At half the size, pixels would be too coarse.
    DECODED = cv2.IMREAD_COLOR

    def __init__(self):
        super().__init__()
        finder, cell = self.manifest["finder"], self.manifest["cell"]
        self.files = [self.FOLDER / network["files"]["ir_xml"]["path"] for network in (finder, cell)]
        self.networks = [compiled(file, "THROUGHPUT") for file in self.files]
        self.finder_input, self.cell_input = finder["input"], cell["input"]
        self.threshold = finder["thresholds"]["leukocytes"]
        self.leukocyte, self.blast = (
            np.array([kind[name] for kind in cell["classes"]]) for name in ("leukocyte", "blast"))

    def request(self):
        import openvino as ov

        return [ov.AsyncInferQueue(network) for network in self.networks]

    def answer(self, request, pixels):
        finder, cell = request
        light = empty_light(pixels)
        pixels = self.resized(pixels, self.UM_PER_PIXEL, self.cell_input)
        x, y = self.found(finder, density(self.resized(pixels, self.cell_input["um_per_pixel"], self.finder_input), light))
        height, width = pixels.shape[:2]
        cells = crops(density(pixels, light).mean(axis=0), x * width, y * height, self.cell_input["side"])
        classes = self.classes(cell, relative_density(cells, self.cell_input["um_per_pixel"]))
        return {"count": {"cells": int(self.leukocyte[classes].sum()), "blasts": int(self.blast[classes].sum())}}

    @staticmethod
    def resized(pixels, um_per_pixel, to):
        """An image at the scale of an input."""
        factor = um_per_pixel / to["um_per_pixel"]
        size = [round(side * factor) for side in pixels.shape[1::-1]]
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    def found(self, finder, planes):
        """x and y of the leukocytes of a field, 0 to 1 from left and top."""
        side, margin, stride = (self.finder_input[name] for name in ("side", "margin", "stride"))
        tops, lefts = (tile_starts(length, side, margin) for length in planes.shape[1:])
        field = np.zeros((1, 2, tops[-1] + side, lefts[-1] + side), np.float32)
        field[0, :, :planes.shape[1], :planes.shape[2]] = planes
        # Scores, and logarithms of diameters.
        maps = np.empty((2, field.shape[2] // stride, field.shape[3] // stride), np.float32)
        places = [(top, left) for top in tops for left in lefts]
        tiles = [field[:, :, top:top + side, left:left + side] for top, left in places]
        for (top, left), (centres, diameter) in zip(places, run_all(finder, tiles, "centres", "diameter")):
            # Where tiles meet, their margins are left out; the next tile writes over that of this one.
            row, column = (start + margin if start else 0 for start in (top, left))
            tile = np.concatenate([centres[0, :1], diameter[0]])
            maps[:, row // stride:(top + side) // stride, column // stride:(left + side) // stride] = (
                tile[:, (row - top) // stride:, (column - left) // stride:])
        height, width = planes.shape[1:]
        x, y = peaks(*maps[:, :-(-height // stride), :-(-width // stride)], self.threshold, stride)
        # The last positions may reach beyond the field.
        inside = (x <= width) & (y <= height)
        return x[inside] / width, y[inside] / height

    def classes(self, cell, inputs):
        """The class of each cell, by its inputs."""
        batch = self.cell_input["batch"]
        padded = np.concatenate([inputs, np.zeros((-len(inputs) % batch, *inputs.shape[1:]), np.float32)])
        batches = [padded[start:start + batch, None] for start in range(0, len(inputs), batch)]
        classes = [kind for probability, in run_all(cell, batches, "probability") for kind in probability.argmax(axis=1)]
        return classes[:len(inputs)]

    def runs(self, answer):
        """How often each network runs for a picture with this answer of smearscope, by its file."""
        factor = self.UM_PER_PIXEL / self.finder_input["um_per_pixel"]
        rows, columns = (
            len(tile_starts(round(length * factor), self.finder_input["side"], self.finder_input["margin"])) for length in SIZE)
        return dict(zip(self.files, (rows * columns, -(-len(answer["cells"]) // self.cell_input["batch"]))))

    @staticmethod
    def number(answer):
        return answer["count"] and answer["count"]["cells"]

    @staticmethod
    def agreement(ours, theirs):
        """How far the results of both are apart, in words."""
        apart = max(abs(a - b) for a, b in zip(ours, theirs))
        return (f"{min(ours)} to {max(ours)} leukocytes, {sum(ours)} and {sum(theirs)} in total, "
                f"in a picture at most {apart} apart")

    @staticmethod
    def source():
        return ROOT / "hardware/slides"

    @classmethod
    def pictures(cls):
        """The fields of the source, enlarged and mirrored at their edges up to a camera's size, as JPEG files by name."""
        pictures = {}
        for path in sorted(cls.source().glob("*.jpg")):
            factor = 0.15 / cls.UM_PER_PIXEL
            large = cv2.resize(cv2.imread(str(path)), None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            height, width = large.shape[:2]
            pictures[path.name] = jpeg(
                cv2.copyMakeBorder(large, 0, SIZE[1] - height, 0, SIZE[0] - width, cv2.BORDER_REFLECT))
        return pictures


MODELS = {"field": FieldModel, "cells": CellsModel}


def tile_starts(length, side, margin):
    """Where tiles of this side begin along a field of this length, so that they overlap by two margins."""
    step = side - 2 * margin
    return range(0, max(length - side, 0) + step, step)


def powers(count):
    """1, x and x² for the middles of so many pixels or blocks side by side; x runs from -1 to 1."""
    x = (2 * np.arange(count, dtype=np.float32) + 1) / count - 1
    return np.stack([np.ones_like(x), x, x * x])


def empty_light(pixels):
    """The light of empty places across a field: coefficients of a quadratic surface, for red and green by powers of y and x.

    The surface is the upper envelope of the bright places of 12 x 12 blocks, by iteratively reweighted least squares.
    """
    height, width = 216, 288
    some = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    levels = LEVELS[some[..., 2:0:-1]].transpose(2, 0, 1)
    # 1, y, x, y², yx and x².
    of_y, of_x = np.array([0, 1, 0, 2, 1, 0]), np.array([0, 0, 1, 0, 1, 2])
    terms = (powers(12)[of_y][:, :, None] * powers(12)[of_x][:, None, :]).reshape(6, 144).T.astype(float)
    ridge = np.diag([0, *[1e-6 * len(terms)] * 5])
    light = np.zeros((2, 3, 3))
    for _ in range(2):
        blocks = (levels - surface(light, height, width)).reshape(2, 12, height // 12, 12, width // 12)
        bright = np.quantile(blocks.transpose(0, 1, 3, 2, 4).reshape(2, 144, -1), 0.9, axis=2)
        weights = np.ones_like(bright)
        for _ in range(15):
            weighted = terms.T * weights[:, None]
            fit = np.linalg.solve(weighted @ terms + ridge, weighted @ bright[..., None])
            residual = bright - (terms @ fit)[..., 0]
            spread = np.maximum(4e-4, np.median(np.abs(residual), axis=1, keepdims=True))
            weights = np.where(residual > 0, 1, 0.15 / (1 + (residual / (2 * spread)) ** 2))
        light[:, of_y, of_x] += fit[..., 0]
    return light


def surface(light, height, width):
    """The surface with these coefficients at each pixel, shape [2, height, width]."""
    one, first, second = np.moveaxis(powers(height).T @ light.astype(np.float32), 2, 0)[..., None]
    x = powers(width)[1]
    return one + (first + second * x) * x


def density(pixels, light):
    """Optical density in red and green light, shape [2, h, w]."""
    levels = np.stack([cv2.LUT(cv2.extractChannel(pixels, channel), LEVELS) for channel in (2, 1)])
    return np.clip(surface(light, *pixels.shape[:2]) - levels, -0.15, 2)


def neighbours(values, rows, columns):
    """The 3 x 3 values around places of a map, 0 beyond it."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, 1), (3, 3))[rows, columns]


def peaks(scores, log_diameters, threshold, stride):
    """x and y of the cells of a map, in pixels of the finder's input, the surest first.

    A cell is the highest of 3 x 3 positions, and lies at their mean. Of two that overlap too much, the surer one stays.
    """
    highest = cv2.dilate(scores, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((scores >= threshold) & (scores == highest))
    order = np.argsort(-scores[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    weights = neighbours(scores, rows, columns)
    weights = weights / weights.sum(axis=(1, 2), keepdims=True)
    x = (columns + 0.5 + weights.sum(axis=1) @ [-1, 0, 1]) * stride
    y = (rows + 0.5 + weights.sum(axis=2) @ [-1, 0, 1]) * stride
    diameter = np.exp((weights * neighbours(log_diameters, rows, columns)).sum(axis=(1, 2)))
    distance = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y))
    smaller, larger = np.minimum.outer(diameter, diameter), np.maximum.outer(diameter, diameter)
    apart = (distance >= 0.45 * smaller) & (distance >= 0.3 * larger)
    kept = []
    for cell in range(len(x)):
        if apart[cell, kept].all():
            kept.append(cell)
    return x[kept], y[kept]


def crops(plane, x, y, side):
    """Squares around places of a plane, shape [n, side, side]; 0 beyond it."""
    squares = np.lib.stride_tricks.sliding_window_view(np.pad(plane, side // 2), (side, side))
    # The middle of a square is the corner of a pixel; it begins half a side before it, as does the padding.
    return squares[np.rint(y).astype(int), np.rint(x).astype(int)]


def relative_density(cells, um_per_pixel):
    """Density of cells, from that of their surroundings to that of their nucleus, as the cell network sees it."""
    count, side, _ = cells.shape
    from_middle = (np.arange(side) - (side - 1) / 2) * um_per_pixel
    distance = np.hypot(from_middle[:, None], from_middle).ravel()
    flat = cells.reshape(count, -1)
    surroundings = flat[:, distance > 9]
    at = int(0.2 * (surroundings.shape[1] - 1))
    base = np.partition(surroundings, at, axis=1)[:, at, None, None]
    core = flat[:, distance < 3.5]
    rest = core.shape[1] - int(0.3 * core.shape[1])
    nucleus = np.partition(core, rest, axis=1)[:, rest:].mean(axis=1)[:, None, None]
    return (np.clip((cells - base) / np.maximum(nucleus - base, 0.04), -0.5, 2) - 0.4) * 1.5
