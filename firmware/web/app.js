// The page: which view is shown, and what is always in sight.

import { access, get, login } from "./api.js";
import { bench } from "./bench.js";
import { device } from "./device.js";
import { live } from "./live.js";
import { slides } from "./slides.js";
import { upload } from "./upload.js";

const VIEWS = { live, slides, upload, device };
const DEMO = "Demo model: trained on drawings, its verdicts say nothing about patients.";
const OWN = "This model is not the demo model.";

const main = document.getElementById("main");
const demo = document.getElementById("demo");
const lost = document.getElementById("lost");
let ending = new AbortController();

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const view = name in VIEWS ? name : "live";
  ending.abort();
  ending = new AbortController();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} · smearscope`;
  document.querySelectorAll("dialog[open]:not(#login)").forEach((dialog) => dialog.close());
  VIEWS[view](main, ending.signal, rest.map(decodeURIComponent));
}

// --- the notices -----------------------------------------------------------------------------------------

let isModelKnown = false;

/// What a finding or the appliance says of its model.
function showModel(isDemo) {
  isModelKnown = true;
  demo.textContent = isDemo ? DEMO : OWN;
  demo.classList.toggle("is-demo", isDemo);
}

async function askModel() {
  try {
    const { model } = await get("/v1/device");
    if (model) showModel(model.demo);
  } catch {
    // The connection's own notice tells.
  }
}

function showConnection() {
  const wasHidden = lost.hidden;
  lost.hidden = bench.connected || bench.locked;
  const text = lost.hidden ? "" : `Not connected: ${bench.problem}. What the bench shows now is not known here; trying again.`;
  if (lost.textContent !== text) lost.textContent = text;
  // What it shows may be of a slide that is long gone.
  if (!bench.connected) document.getElementById("field").close();
  const last = bench.fields.at(-1);
  if (last) showModel(last.demo);
  if (bench.connected && (!wasHidden || !isModelKnown) && bench.state?.name !== "starting") askModel();
}

// --- the token -------------------------------------------------------------------------------------------

const dialog = document.getElementById("login");
const token = document.getElementById("token");
const problem = document.getElementById("login-problem");

access.addEventListener("wanted", () => {
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

document.querySelector("#field [data-close]").addEventListener("click", () => document.getElementById("field").close());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => {
  route();
  main.focus();
});
bench.addEventListener("change", showConnection);
route();
bench.run();
