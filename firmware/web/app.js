// Entry point: routing between the views, the notices, the footer and the login dialog.

import { access, get, login } from "./api.js";
import { bench } from "./bench.js";
import { device } from "./device.js";
import { field } from "./field.js";
import { live } from "./live.js";
import { slides } from "./slides.js";
import { upload } from "./upload.js";
import { DEMO } from "./verdict.js";

const VIEWS = { live, slides, fields: field, upload, device };
/// Views without a link in the header, and the one that they belong to.
const PARENTS = { fields: "slides" };

const main = document.getElementById("main");
const demo = document.getElementById("demo");
const footer = document.getElementById("model");
const lost = document.getElementById("lost");
const ended = document.getElementById("ended");
let ending = new AbortController();

/// A token in the address, as the QR code on the appliance's screen has it. Takes it out of the address and the history.
async function useLinkedToken() {
  const [, linked] = /^#([A-Z2-7]{32})$/.exec(location.hash) ?? [];
  if (!linked) return;
  history.replaceState(null, "", "#/live");
  await login(linked).catch(() => {
    // Then the page asks for another one.
  });
}

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const view = name in VIEWS ? name : "live";
  ending.abort();
  ending = new AbortController();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${PARENTS[view] ?? view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} · smearscope`;
  document.querySelectorAll("dialog[open]:not(#login)").forEach((dialog) => dialog.close());
  VIEWS[view](main, ending.signal, rest.map(decodeURIComponent));
}

// --- the notices -----------------------------------------------------------------------------------------

let isModelKnown = false;

/// Names the running model in the notice and in the footer.
function showModel(name, engine, isDemo) {
  isModelKnown = true;
  demo.textContent = isDemo ? `Demo model: ${DEMO}.` : `Running model: ${name}.`;
  footer.textContent = `Model: ${name} (${engine})`;
}

async function loadModel() {
  try {
    const { model } = await get("/v1/device");
    if (model) showModel(model.name, model.engine, model.demo);
  } catch {
    // The notice about the connection says why.
  }
}

function showConnection() {
  const wasHidden = lost.hidden;
  lost.hidden = bench.connected || bench.locked || bench.isOff;
  ended.hidden = !bench.isOff;
  if (bench.isOff) ended.textContent = `The appliance is ${bench.state.message}. This page goes on when it is started again.`;
  const text = lost.hidden ? "" : `Not connected: ${bench.problem}. Trying again …`;
  if (lost.textContent !== text) lost.textContent = text;
  const last = bench.fields.at(-1);
  if (last) showModel(last.model, last.engine, last.demo);
  if (bench.connected && (!wasHidden || !isModelKnown) && bench.state?.name !== "starting") loadModel();
}

// --- the token -------------------------------------------------------------------------------------------

const dialog = document.getElementById("login");
const token = document.getElementById("token");
const problem = document.getElementById("login-problem");

access.addEventListener("required", () => {
  if (!dialog.open) dialog.showModal();
});
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    await login(token.value.trim());
    token.value = "";
    dialog.close();
    route();
  } catch (error) {
    const wait = error.retryAfter ? ` (${error.retryAfter} s)` : "";
    problem.textContent = `${error.message}${wait}`;
    token.focus();
  }
});

// -----------------------------------------------------------------------------------------------------------

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", async () => {
  await useLinkedToken();
  route();
  main.focus();
});
bench.addEventListener("change", showConnection);
await useLinkedToken();
route();
bench.run();
