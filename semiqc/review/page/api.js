// Talks to the server; every address is below that of the page, which bears the token.

const PATIENCE_MS = 500; // after which the reader is told what is still on its way

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

// Send content; ``late`` is called where the answer takes long.
export async function post(path, content, late) {
  const body = JSON.stringify(content);
  const headers = { "Content-Type": "application/json" };
  const slow = setTimeout(late, PATIENCE_MS);
  try {
    return await answered(await fetch(path, { method: "POST", headers, body }));
  } finally {
    clearTimeout(slow);
  }
}

// A grey picture as a map to lay over an image: what is dark is clear, and what is bright yellow.
export async function overlay(path) {
  const grey = await picture(path);
  const canvas = new OffscreenCanvas(grey.width, grey.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(grey, 0, 0);
  grey.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  for (let at = 0; at < data.length; at += 4) {
    const value = data[at];
    // JPEG leaves a faint noise where nothing is.
    data[at] = 255;
    data[at + 1] = 60 + value * 0.7;
    data[at + 2] = 0;
    data[at + 3] = value < 8 ? 0 : Math.min(230, 1.2 * value);
  }
  return createImageBitmap(pixels);
}

export async function picture(path) {
  const response = await fetch(path);
  if (!response.ok) await answered(response);
  return createImageBitmap(await response.blob());
}
