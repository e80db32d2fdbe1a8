// Calls a Gradio app as a JavaScript program does: `calls.mjs MAJOR URL`. Prints the results as JSON.
//
// Runs with the `@gradio/client` of the app's version. Records every requested address.
import { createHash, randomBytes } from "node:crypto";

const [major, url] = process.argv.slice(2);
const { Client } = await import(`gradio-client-${major}`);

const asked = new Set();
const realFetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
  asked.add(String(input?.url ?? input));
  return realFetch(input, init);
};

const now = () => Number(process.hrtime.bigint()) / 1e9;
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const results = {};

const app = await Client.connect(url, { events: ["data", "status"] });
results.root = app.config.root;
results.endpoints = Object.keys((await app.view_api()).named_endpoints).sort();

// The client hangs when it joins the queue before the end of its last event stream arrives: it takes that end for the
// end of a stream that has yet to open. It does so without a proxy too, so a call here waits for the end first.
async function settled() {
  while (app.stream_status.open) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function predict(endpoint, data) {
  await settled();
  return (await app.predict(endpoint, data)).data[0];
}

results.predict = await predict("/greet", ["Ada"]);

async function all(endpoint, data) {
  await settled();
  const pieces = [];
  const submission = app.submit(endpoint, data);
  // Not `for await`: in some versions neither its end nor a `break` comes through.
  for (;;) {
    const { value: message, done } = await submission.next();
    if (done) break;
    if (message.type === "data") pieces.push([message.data[0], now()]);
    if (message.type === "status" && ["complete", "error"].includes(message.stage)) break;
  }
  return pieces;
}

results.stream = await all("/count", ["tick"]);
results.chat = (await all("/chat", ["good morning"])).map(([text]) => text);

const bytes = randomBytes(2_000_000);
const sent = new Blob([bytes], { type: "application/octet-stream" });
const file = await predict("/copied", [sent]);
results.file_url = file.url;
const got = await realFetch(file.url);
results.file_status = got.status;
results.file_is_equal = sha(Buffer.from(await got.arrayBuffer())) === sha(bytes);

try {
  await predict("/refuse", ["tea"]);
} catch (error) {
  results.error = String(error?.message ?? JSON.stringify(error));
}
results.session = [await predict("/bump", []), await predict("/bump", [])];
results.asked = [...asked];
console.log(JSON.stringify(results));
app.close();
// Some versions keep a stream open after that.
process.exit(0);
