// Helpers: elements, number and date formats, downloads.

/// The flat list of children without empty ones.
const present = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/// Creates an element. `on…` properties are listeners; `class`, `for`, `role` and names with a dash are attributes.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "for" || name === "role" || name.includes("-"))
      element.setAttribute(name, value === true ? "" : value);
    else element[name] = value;
  }
  element.append(...present(children));
  return element;
}

/// Replaces the children.
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/// A probability as on the appliance's screen: never rounded to 0 or 100 %.
export function percent(probability) {
  if (probability === null || probability === undefined) return "–";
  if (probability > 0.999) return "> 99.9 %";
  if (probability < 0.001) return "< 0.1 %";
  return `${(probability * 100).toFixed(1)} %`;
}

/// A share as a percentage without its sign, as in the words of a count: two digits, but not less than tenths.
export function sharePercent(share) {
  const percentage = 100 * share;
  return percentage.toFixed(percentage > 0 && percentage < 9.95 ? 1 : 0);
}

/// A number with three significant digits, or without decimals from 100 on.
export function rounded(value) {
  if (value === null || value === undefined) return "not measured";
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

export function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${number.toFixed(number < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/// A time in the format of the browser's language.
export function moment(time) {
  const date = time instanceof Date ? time : new Date(time);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/// The creation time of a record: a UUID of version 7 begins with the milliseconds since 1970.
export function recordedAt(id) {
  const digits = id?.replaceAll("-", "");
  return digits?.[12] === "7" ? new Date(Number.parseInt(digits.slice(0, 12), 16)) : null;
}

/// Lets the browser save a file.
export function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/// What is wrong, as a mark and words.
export const bad = (text) => el("span", { class: "problem" }, `✗ ${text}`);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
