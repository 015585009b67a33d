// Cells in words: what each counts as, its mark, its address.

import { count, el, percent } from "./dom.js";

/// What a cell counts as. Kinds have a line and a sign each, so that they can be told apart without colours.
const CALLS = {
  blast: { kind: "blast", sign: "▲", words: "counts as a blast" },
  other_leukocyte: { kind: "other", sign: "", words: "counts as another leukocyte" },
  novel: { kind: "unclear", sign: "?", words: "unclear: unlike any cell that the model learned from; in neither number" },
  contradictory: { kind: "unclear", sign: "?", words: "unclear: network and measured figures disagree; in neither number" },
  artefact: { kind: "artefact", sign: "×", words: "not a leukocyte: does not count" },
};

/// The kinds, in the order of the legend.
const KINDS = {
  blast: { one: "blast", many: "blasts", sign: "▲" },
  other: { one: "other leukocyte", many: "other leukocytes", sign: "" },
  unclear: { one: "unclear", many: "unclear", sign: "?" },
  artefact: { one: "not a leukocyte", many: "not leukocytes", sign: "×" },
};

/// What a cell counts as, `{kind, sign, words}`. A call that this page does not know counts as nothing.
export const callOf = ({ call }) => CALLS[call] ?? { kind: "unclear", sign: "?", words: `${call.replaceAll("_", " ")}: in neither number` };

/// The class of a cell.
export const className = (name) => name.replaceAll("_", " ");

/// The class of a cell with its probability.
export const label = (cell) => `${className(cell.class)} ${percent(cell.probabilities?.[cell.class])}`;

/// The address of a field, or of a cell in it.
export const address = (field, number) => `#/fields/${encodeURIComponent(field)}${number === undefined ? "" : `/cells/${number}`}`;

/// Cells with the highest probability of a blast first, and those that are no leukocytes last.
export const suspicious = (cells) => cells.toSorted((one, other) => (one.call === "artefact") - (other.call === "artefact") || other.blast_probability - one.blast_probability);

/// The number of cells of each kind, as `{kind: number}`.
function kinds(cells) {
  const numbers = {};
  for (const cell of cells) {
    const { kind } = callOf(cell);
    numbers[kind] = (numbers[kind] ?? 0) + 1;
  }
  return numbers;
}

/// What was found in a field, in words.
export function summary(cells) {
  const numbers = kinds(cells);
  const parts = Object.entries(KINDS).filter(([kind]) => numbers[kind]).map(([kind, { one, many }]) => `${numbers[kind]} ${numbers[kind] === 1 ? one : many}`);
  return parts.length === 0 ? "no cells" : `${count(cells.length, "cell")}: ${parts.join(", ")}`;
}

/// The meaning of the marks, with the number of cells of each kind.
export function legend(cells) {
  const numbers = kinds(cells);
  return el(
    "ul",
    { class: "legend" },
    Object.entries(KINDS)
      .filter(([kind]) => numbers[kind])
      .map(([kind, { one, many, sign }]) => el("li", {}, el("span", { class: `mark ${kind}`, "aria-hidden": "true" }, sign && el("span", { class: "sign" }, sign)), `${numbers[kind]} ${numbers[kind] === 1 ? one : many}`)),
  );
}
