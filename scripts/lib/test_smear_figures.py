import cv2
import numpy
import pytest

import smear_figures


def smear(light=(220, 210, 200), stains=(), size=160, noise=0.0):
    """A picture with discs of stain: `(centre, radius, densities of red, green and blue)`, all in pixels."""
    rows, columns = numpy.mgrid[:size, :size] + 0.5
    densities = numpy.zeros((size, size, 3))
    for (x, y), radius, stain in stains:
        inside = numpy.hypot(columns - x, rows - y) < radius
        densities[inside] += stain
    levels = numpy.array(light) * 10**-densities
    levels += numpy.random.default_rng(1).normal(0, noise, levels.shape)
    return numpy.clip(numpy.round(levels), 0, 255).astype(numpy.uint8)


CHROMATIN, HAEMOGLOBIN = numpy.array([0.4, 0.6, 0.2]), numpy.array([0.05, 0.2, 0.2])


def test_light_and_noise_are_those_of_the_empty_slide():
    picture = smear(stains=[((80, 80), 30, CHROMATIN)], noise=4.0)
    light, empty = smear_figures.background(picture)
    assert light == pytest.approx([220, 210, 200], abs=1)
    # The median of a Gaussian's absolute value, of 20,000 rounded samples: within 10 %.
    assert smear_figures.noise(picture, empty) == pytest.approx(4.0, rel=0.1)


def test_shading_is_the_variation_of_light_from_block_to_block():
    picture = smear()
    picture[:, :80, 0] = 110
    everywhere = numpy.ones(picture.shape[:2], bool)
    red, green, blue = smear_figures.shading(picture, everywhere)
    # Half of the blocks have 110, the other half 220: 55 / 165.
    assert (red, green, blue) == pytest.approx((1 / 3, 0, 0))


def test_the_two_stains_are_found_in_their_mixture():
    mixture = numpy.random.default_rng(2).uniform(0, 1, (5000, 2))
    densities = mixture @ numpy.array([CHROMATIN, HAEMOGLOBIN])
    bluer, redder = smear_figures.stain_vectors(densities)
    # The 1st and 99th percentile of the angle lie a few degrees within the pure stains.
    for found, stain in ((bluer, CHROMATIN), (redder, HAEMOGLOBIN)):
        assert found @ stain / numpy.linalg.norm(stain) > numpy.cos(numpy.radians(5))
    assert smear_figures.stain_vectors(densities * 0.01) is None


def test_blur_takes_sharpness_and_a_lower_resolution_of_colour_takes_chroma_detail():
    discs = [((30 * column + 20, 30 * row + 20), 10, HAEMOGLOBIN) for row in range(5) for column in range(5)]
    sharp = smear(stains=discs, noise=1.0)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3)
    assert smear_figures.sharpness(blurred, 0.2) < smear_figures.sharpness(sharp, 0.2) - 0.5
    assert smear_figures.pixel_sharpness(blurred) < smear_figures.pixel_sharpness(sharp) - 0.5
    assert smear_figures.sharpness(sharp, 0.5) is None
    planes = cv2.cvtColor(sharp, cv2.COLOR_RGB2YCrCb)
    planes[..., 1:] = cv2.resize(cv2.resize(planes[..., 1:], (40, 40), interpolation=cv2.INTER_AREA), (160, 160))
    coarse = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB)
    assert smear_figures.chroma_detail(coarse) < 0.8 * smear_figures.chroma_detail(sharp)


def test_a_white_cell_is_measured_in_micrometres():
    picture = smear(stains=[((80, 80), 40, [0.1, 0.1, 0.0]), ((80, 80), 28, CHROMATIN - [0.1, 0.1, 0])])
    light, _ = smear_figures.background(picture)
    figures = smear_figures.of_leukocyte(smear_figures.density(picture, light), [40, 40, 80, 80], 0.15)
    assert figures["leukocyte: side of box, µm"] == pytest.approx(12)
    # A pixel is 0.15 µm; the threshold may move the edge by as much.
    assert figures["nucleus: diameter, µm"] == pytest.approx(8.4, abs=0.3)
    assert figures["nucleus: density in green"] == pytest.approx(0.6, abs=0.01)
    assert figures["nucleus: red / green density"] == pytest.approx(2 / 3, abs=0.02)
    assert figures["nucleus: texture within 1 µm, relative"] < 0.05
    assert figures["cytoplasm: density in green"] == pytest.approx(0.1, abs=0.01)
    assert figures["cytoplasm: red − blue density"] == pytest.approx(0.1, abs=0.01)


def test_a_red_cell_has_a_pale_middle():
    picture = smear(stains=[((80, 80), 18, HAEMOGLOBIN), ((80, 80), 6, -HAEMOGLOBIN / 2)])
    light, _ = smear_figures.background(picture)
    densities = smear_figures.density(picture, light)
    figures = smear_figures.of_red_cell(densities, (80, 80), 36)
    assert figures["red cell: density in green"] == pytest.approx(0.2, abs=0.01)
    assert figures["red cell: blue / green density"] == pytest.approx(1, abs=0.05)
    assert figures["red cell: middle / rim density"] == pytest.approx(0.5, abs=0.03)
    assert smear_figures.of_red_cell(densities, (10, 80), 36) == {}


def test_the_figures_of_a_picture_are_finite():
    picture = smear(stains=[((40, 40), 20, CHROMATIN), ((110, 110), 18, HAEMOGLOBIN)], noise=2.0)
    figures, densities = smear_figures.of_picture(picture, 0.2)
    assert densities.shape == picture.shape
    assert len(figures) == 13
    assert all(numpy.isfinite(value) for value in figures.values())
