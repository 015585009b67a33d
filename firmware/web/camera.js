// The camera in the device view: what was measured of it, and the buttons that measure.

import { post, request } from "./api.js";
import { bad, count, el, fill, moment, rounded } from "./dom.js";
import { micrometer } from "./micrometer.js";
import { facts } from "./verdict.js";

/// The longest possible capture; the appliance usually reports a failure earlier.
const PATIENCE = 180_000;
/// On what a scale was measured.
const ruler = ({ method, red_cells: cells }) => (method === "red_cells" ? `on ${count(cells, "red cell")}` : "on a stage micrometer");

const percent = (share) => `${Math.round(100 * share)} %`;
const factor = (value) => value.toFixed(2);

/// The card's content; `changed` shows it anew. Dialogs open in `main` until `signal`.
export function camera({ camera: name, objective, size, light, scale }, changed, main, signal) {
  const result = el("p", { role: "status" });
  const buttons = [];
  /// Asks the appliance, and shows what came of it.
  const act = async (doing, work) => {
    buttons.forEach((button) => (button.disabled = true));
    fill(result, doing);
    try {
      await changed(await work());
    } catch (error) {
      fill(result, bad(error.message));
    }
    buttons.forEach((button) => (button.disabled = false));
  };
  const measure = (path) => act("Taking a picture …", () => post(path, { signal: AbortSignal.timeout(PATIENCE) }));
  const remove = () => {
    if (confirm("Remove what was measured of the camera with this objective?")) act("Removing …", async () => (await request("/v1/calibration", { method: "DELETE" })).json());
  };
  const add = (text, onclick) => buttons.push(el("button", { type: "button", onclick }, text));
  add(light ? "Measure the light again" : "Measure the light", () => measure("/v1/calibration/light"));
  add("Measure the scale", () => micrometer(main, signal, changed));
  add("Measure the scale on red cells", () => measure("/v1/calibration/scale/red-cells"));
  if (light || scale) add("Remove", remove);
  return [
    el(
      "dl",
      { class: "facts" },
      facts({
        Camera: name,
        Objective: objective || "not named (camera.objective)",
        "Size of pictures": size && `${size[0]} × ${size[1]}`,
        Light: light
          ? `${moment(light.made_at)}: darkest place ${percent(Math.min(...light.evenness))} of the brightest, red × ${factor(light.white_balance[0])}, blue × ${factor(light.white_balance[2])}; pictures are corrected`
          : "not measured: pictures are judged as the camera delivers them",
        Scale: scale ? `${moment(scale.made_at)}: ${rounded(scale.um_per_pixel)} µm per pixel, ${ruler(scale)}` : "not measured",
      }),
    ),
    el("p", { class: "small" }, "Once for each objective and lamp. To measure the light, move to a place of the slide without cells, and focus. To measure the scale, put a stage micrometer under the objective, or, less exactly, a field of a smear with red cells."),
    el("p", { class: "buttons" }, buttons),
    result,
  ];
}
