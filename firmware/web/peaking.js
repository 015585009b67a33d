// Focus peaking: paints over a picture what is sharp in it.

/// Side of a block in pixels; the contrast at a pixel is that of its block and of the eight around it.
const BLOCK = 8;
/// Least contrast of an edge, in levels of 255: less is noise and compression.
const CONTRAST = 32;
/// Slope at a sharp edge, as a share of the contrast per pixel, which does not depend on how strongly a cell is stained. Of the
/// six shipped fields, 0.7 to 9 % of the pixels have it; blurred with σ = 2 pixels, up to 4.1 %, with σ = 3, up to 0.03 %.
const SHARP = 0.14;
/// A colour that no stain has, opaque.
const PAINT = [0, 230, 60, 255];

/// Paints the sharp edges of an image on a canvas that lies over it.
export function paint(canvas, image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const luma = lumas(context.getImageData(0, 0, width, height).data);
  const contrast = contrasts(luma, width, height);
  const painted = context.createImageData(width, height);
  const across = Math.ceil(width / BLOCK);
  for (let y = 1; y < height - 1; y += 1) {
    const blocks = Math.floor(y / BLOCK) * across;
    for (let x = 1; x < width - 1; x += 1) {
      const around = contrast[blocks + Math.floor(x / BLOCK)];
      if (around >= CONTRAST && slope(luma, y * width + x, width) >= SHARP * around) painted.data.set(PAINT, 4 * (y * width + x));
    }
  }
  context.putImageData(painted, 0, 0);
}

/// Luma by ITU-R BT.601.
function lumas(samples) {
  const luma = new Float32Array(samples.length / 4);
  for (let i = 0; i < luma.length; i += 1) luma[i] = 0.299 * samples[4 * i] + 0.587 * samples[4 * i + 1] + 0.114 * samples[4 * i + 2];
  return luma;
}

/// The slope at a pixel in levels per pixel, by Sobel's operator.
function slope(luma, i, width) {
  const [above, below] = [i - width, i + width];
  const right = luma[above + 1] + 2 * luma[i + 1] + luma[below + 1] - luma[above - 1] - 2 * luma[i - 1] - luma[below - 1];
  const down = luma[below - 1] + 2 * luma[below] + luma[below + 1] - luma[above - 1] - 2 * luma[above] - luma[above + 1];
  return Math.hypot(right, down) / 8;
}

/// The contrast of each block: brightest minus darkest pixel of it and of the blocks around it.
function contrasts(luma, width, height) {
  const [across, down] = [Math.ceil(width / BLOCK), Math.ceil(height / BLOCK)];
  const [darkest, brightest] = [new Float32Array(across * down).fill(255), new Float32Array(across * down)];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const block = Math.floor(y / BLOCK) * across + Math.floor(x / BLOCK);
      const value = luma[y * width + x];
      if (value < darkest[block]) darkest[block] = value;
      if (value > brightest[block]) brightest[block] = value;
    }
  }
  return darkest.map((_, block) => {
    const [column, row] = [block % across, Math.floor(block / across)];
    let [least, most] = [255, 0];
    for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, down - 1); y += 1) {
      for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, across - 1); x += 1) {
        least = Math.min(least, darkest[y * across + x]);
        most = Math.max(most, brightest[y * across + x]);
      }
    }
    return most - least;
  });
}
