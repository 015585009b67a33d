// Requests to the appliance, and the token they send. The token is stored in this tab only and never part of a URL.

const KEY = "token";
const TIMEOUT = 15_000;

/// An error that the appliance returned.
export class Problem extends Error {
  constructor(status, detail, retryAfter = null) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/// The appliance did not answer.
export class Unreachable extends Error {}

/// Dispatches `login` when a token was accepted and `required` when one is needed.
export const access = new EventTarget();

export const hasToken = () => sessionStorage.getItem(KEY) !== null;

export function forgetToken() {
  sessionStorage.removeItem(KEY);
  access.dispatchEvent(new Event("required"));
}

/// Tries a token, and stores it if it is accepted.
export async function login(token) {
  await send("/v1/device", {}, token);
  sessionStorage.setItem(KEY, token);
  access.dispatchEvent(new Event("login"));
}

async function send(path, options, token) {
  const headers = new Headers(options.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  let response;
  try {
    response = await fetch(path, {
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT),
      ...options,
      headers,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable("the appliance does not answer");
  }
  if (response.ok) return response;
  let detail = `${response.status} ${response.statusText}`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    // Not problem details: perhaps the answer of a proxy.
  }
  const after = Number(response.headers.get("retry-after"));
  throw new Problem(response.status, detail, after > 0 ? after : null);
}

/// Sends a request; throws a `Problem` or `Unreachable`.
export async function request(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  try {
    return await send(path, options, token);
  } catch (error) {
    // Unless the user entered another token in the meantime. Sending a refused token again would count as a guess.
    if (error.status === 401 && sessionStorage.getItem(KEY) === token) forgetToken();
    throw error;
  }
}

export const get = async (path, options) => (await request(path, options)).json();
export const post = async (path, options = {}) => (await request(path, { method: "POST", ...options })).json();

/// The current camera picture, or a region of it, as a URL for `<img>`, its quality figures, and the size of a whole picture.
export async function snapshot(region, options) {
  const response = await request(`/v1/camera/snapshot${region ? `?region=${region}` : ""}`, options);
  const [quality, size] = ["quality", "size"].map((name) => JSON.parse(response.headers.get(`smearscope-${name}`)));
  return { url: URL.createObjectURL(await response.blob()), quality, size };
}

/// An image as a URL for `<img>`; the caller revokes it.
export async function image(path, options) {
  const response = await request(path, options);
  return URL.createObjectURL(await response.blob());
}
