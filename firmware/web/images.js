// Images of recorded fields, and cells cut out of them. An image of a field has millions of pixels: few are held, and one
// is decoded at a time.

import { access, request } from "./api.js";

/// Encoded images that are held, so that a picture and its gallery need one request.
const HELD = 4;
/// Side of a cut-out in pixels.
const SIDE = 112;
/// Side of a cut-out in µm, where the scale is known: cells can then be compared by size.
const SIDE_UM = 24;
/// Side of a cut-out in diameters of its cell, where it is not.
const SIDE_DIAMETERS = 1.7;

const held = new Map();
let decoding = Promise.resolve();

// Another user may enter the next token.
access.addEventListener("required", () => held.clear());

/// The encoded image of a recorded field.
export function fieldImage(record) {
  const known = held.get(record);
  held.delete(record);
  const image = known ?? load(record);
  held.set(record, image);
  if (held.size > HELD) held.delete(held.keys().next().value);
  return image;
}

async function load(record) {
  try {
    const response = await request(`/v1/fields/${encodeURIComponent(record)}/image`);
    return await response.blob();
  } catch (error) {
    held.delete(record);
    throw error;
  }
}

/// Why there is no image, in words.
export const noImage = (error) => (error.status === 404 || error.status === 410 ? "The image was removed." : `Cannot show the image: ${error.message}.`);

/// An empty canvas for a cell.
export function canvas() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}

/// Draws cells into canvases, given as `[cell, canvas]`; `blob` is the encoded image of their field.
export function cut(blob, pairs) {
  decoding = decoding.then(
    () => draw(blob, pairs),
    () => draw(blob, pairs),
  );
  return decoding;
}

async function draw(blob, pairs) {
  const image = await createImageBitmap(blob).catch(() => {
    throw new Error("this browser cannot show images of this kind");
  });
  for (const [{ x, y, diameter, um_per_pixel: scale }, canvas] of pairs) {
    const side = scale ? SIDE_UM / scale : SIDE_DIAMETERS * diameter;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, x - side / 2, y - side / 2, side, side, 0, 0, SIDE, SIDE);
  }
  image.close();
}
