// Requests, and the token that they carry. It is kept in this tab only, and never stands in an address.

const KEY = "token";
const PATIENCE = 15_000;

/// What the appliance answered instead of what was wanted.
export class Problem extends Error {
  constructor(status, detail, retryAfter = null) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/// The appliance did not answer.
export class Unreachable extends Error {}

/// Tells of tokens: `login` when one was accepted, `wanted` when one is wanted.
export const access = new EventTarget();

export const hasToken = () => sessionStorage.getItem(KEY) !== null;

export function forgetToken() {
  sessionStorage.removeItem(KEY);
  access.dispatchEvent(new Event("wanted"));
}

/// Asks with another token; keeps it if it is accepted.
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
      signal: AbortSignal.timeout(PATIENCE),
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
    // Not a problem as the appliance writes it: a proxy's, perhaps.
  }
  const after = Number(response.headers.get("retry-after"));
  throw new Problem(response.status, detail, after > 0 ? after : null);
}

/// The response, or a [`Problem`].
export async function request(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  try {
    return await send(path, options, token);
  } catch (error) {
    // Unless another one was accepted meanwhile. One that is refused would only be counted as a guess if it was sent again.
    if (error.status === 401 && sessionStorage.getItem(KEY) === token) forgetToken();
    throw error;
  }
}

export const get = async (path, options) => (await request(path, options)).json();
export const post = async (path, options = {}) => (await request(path, { method: "POST", ...options })).json();

/// What the camera sees now, as an address that `<img>` understands, and what was measured of it.
export async function snapshot(options) {
  const response = await request("/v1/camera/snapshot", options);
  const quality = JSON.parse(response.headers.get("smearscope-quality"));
  return { url: URL.createObjectURL(await response.blob()), quality };
}

/// An image as an address that `<img>` understands; whoever asked revokes it.
export async function image(path, options) {
  const response = await request(path, options);
  return URL.createObjectURL(await response.blob());
}
