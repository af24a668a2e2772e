// Talks to the server; every address is below that of the page, which bears the token.

export class Refused extends Error {}

async function answered(response) {
  const kind = response.headers.get("content-type") ?? "";
  const content = kind.startsWith("application/json") ? await response.json() : null;
  if (!response.ok || content === null) {
    throw new Refused(content?.refused ?? `the server answered ${response.status}`);
  }
  return content;
}

export async function get(path) {
  return answered(await fetch(path));
}

export async function post(path, content) {
  const body = JSON.stringify(content);
  const headers = { "Content-Type": "application/json" };
  return answered(await fetch(path, { method: "POST", headers, body }));
}

export async function picture(path) {
  const response = await fetch(path);
  if (!response.ok) await answered(response);
  return createImageBitmap(await response.blob());
}
