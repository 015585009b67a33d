// Uses the types that openapi-typescript generated beside this file: captures a field, classifies its image, exports the
// records as a ZIP archive, adds a note and lists the models. Prints what it found as JSON.
//
// Arguments: the appliance's address and an operator's token.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const [address, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token}` } });

/// The data of an answer, or an exception with the appliance's detail.
function data<T>({ data, error }: { data?: T; error?: { detail: string } }): T {
  if (data === undefined) throw new Error(error?.detail);
  return data;
}

const found = data(await client.POST("/v1/captures"));
if (found.record === null) throw new Error("not recorded");
const picture: Blob = data(await client.GET("/v1/fields/{id}/image", { params: { path: { id: found.record } }, parseAs: "blob" }));
const uploaded = data(
  await client.POST("/v1/classify", {
    headers: { "Content-Type": "application/octet-stream" },
    // OpenAPI has no type for bytes: to the compiler, they are a string.
    body: picture as unknown as string,
    bodySerializer: (body) => body as unknown as Blob,
  }),
);
const archive: ArrayBuffer = data(await client.GET("/v1/records/export", { params: { query: { format: "zip" } }, parseAs: "arrayBuffer" }));
const [slide] = data(await client.GET("/v1/slides")).slides;
const note = data(await client.POST("/v1/slides/{id}/notes", { params: { path: { id: slide.id } }, body: { text: "seen" } }));
const verdicts: components["schemas"]["Verdict"][] = [found.verdict, uploaded.verdict];
const models = data(await client.GET("/v1/models")).map(({ role, version, card }) => [role, version, card?.license]);
const refused = await client.GET("/v1/slides", { headers: { Authorization: "Bearer AAAA" } });
const start = String.fromCharCode(...new Uint8Array(archive.slice(0, 2)));
console.log(JSON.stringify({ verdicts, start, models, note: note.text, refused: refused.error?.status }));
