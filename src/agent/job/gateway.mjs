// The gateway between the agent and Inference Providers: it has the token, and counts requests and tokens.

import http from "node:http";

import { Ended, plain, result, settings, token } from "./shared.mjs";

/** Largest body of a request. */
const MAX_BODY = 16 << 20;
/** Bytes of a token, at least. An answer without its usage is counted by it. */
const BYTES_PER_TOKEN = 3;
/** Largest answer in tokens, and the smallest that is worth a request. */
export const MAX_ANSWER = 16_384;
const MIN_ANSWER = 256;
const CONTEXT = 128_000;
/** Number of times that the list of models is read, and the first pause between them in milliseconds. */
const ATTEMPTS = 4;
const PAUSE = 1000;

/** Reads the list of models. A router that is busy, or that is not reached, is asked again. */
async function readModels() {
  for (let attempt = 1; ; attempt += 1) {
    let failure;
    let mayPass = true;
    try {
      const answer = await fetch(`${settings.router}/v1/models`, {
        headers: { authorization: `Bearer ${token}` },
        redirect: "error",
        signal: AbortSignal.timeout(60_000),
      });
      const text = await answer.text();
      if (answer.ok) return text;
      failure = `Inference Providers refused the list of models: ${refusal(answer.status, text)}`;
      mayPass = answer.status === 429 || answer.status >= 500;
    } catch (error) {
      failure = `cannot reach Inference Providers: ${error.cause?.message ?? error.message}`;
    }
    if (!mayPass || attempt === ATTEMPTS) throw new Ended("failed", failure);
    await new Promise((go) => setTimeout(go, attempt * PAUSE));
  }
}

/** Returns `{offers, context}` of the model: its prices by provider, and its context. */
export async function look(model) {
  const id = model.split(":")[0];
  const text = await readModels();
  let all;
  try {
    all = JSON.parse(text).data;
  } catch {
    all = undefined;
  }
  if (!Array.isArray(all)) throw new Ended("failed", "Inference Providers answered with no list of models");
  const providers = all.filter((one) => one?.id === id).flatMap((one) => one.providers ?? []);
  if (providers.length === 0)
    throw new Ended("failed", `no provider of Inference Providers has the model ${id}`);
  const live = providers.filter((one) => one.status === undefined || one.status === "live");
  const contexts = live.map((one) => one.context_length).filter((length) => length > 0);
  const offers = new Map();
  for (const { provider, pricing } of providers) {
    if (pricing?.input >= 0 && pricing?.output >= 0) offers.set(provider, pricing);
  }
  return { offers, context: contexts.length > 0 ? Math.min(...contexts) : CONTEXT };
}

/** Returns an error answer of the router as one line. */
function refusal(status, text) {
  let error;
  try {
    error = JSON.parse(text).error;
  } catch {
    error = text;
  }
  return plain(`${status}: ${error?.message ?? error ?? "no reason given"}`);
}

/** Passes the agent's requests on, with the token, until a limit is reached. */
export class Gateway {
  #offers;
  #spent = 0;
  /** The requests wait for each other, because each may use up what is left. */
  #turn = Promise.resolve();
  /** The last error of the router; the agent repeats a request, so it may be of no importance. */
  lastError = null;
  limit = null;

  constructor(offers, onLimit) {
    this.#offers = offers;
    this.onLimit = onLimit;
    this.server = http.createServer((request, response) => {
      this.#turn = this.#turn
        .then(() => this.#handle(request, response))
        .catch((error) => {
          if (response.headersSent) response.destroy();
          else refuse(response, 502, plain(error.message));
        });
    });
  }

  async listen() {
    await new Promise((ready, failed) => {
      this.server.once("error", failed);
      this.server.listen(0, "127.0.0.1", ready);
    });
    return `http://127.0.0.1:${this.server.address().port}/v1`;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Returns the highest price of the model's providers; `null` if none has a price. */
  get #worst() {
    const all = [...this.#offers.values()];
    if (all.length === 0) return null;
    return {
      input: Math.max(...all.map((one) => one.input)),
      output: Math.max(...all.map((one) => one.output)),
    };
  }

  #stop(message) {
    this.limit ??= message;
    this.onLimit();
    return message;
  }

  /** Returns the largest answer that the limits leave room for, or the reason why there is none. */
  #room(size) {
    if (this.limit) return { refused: this.limit };
    if (result.requests >= settings.max_requests) {
      return {
        refused: this.#stop(`the agent has sent ${settings.max_requests} requests, which is the limit`),
      };
    }
    const worst = this.#worst;
    if (!worst) return { most: MAX_ANSWER };
    const input = ((size / BYTES_PER_TOKEN) * worst.input) / 1e6;
    const left = settings.budget_usd - this.#spent - input;
    const most = worst.output > 0 ? Math.floor((left / worst.output) * 1e6) : MAX_ANSWER;
    if (left < 0 || most < MIN_ANSWER) {
      const spent = this.#spent.toFixed(4);
      return {
        refused: this.#stop(
          `the agent has used $${spent} of $${settings.budget_usd.toFixed(4)}, and the next request could exceed it`,
        ),
      };
    }
    return { most: Math.min(most, MAX_ANSWER) };
  }

  async #handle(request, response) {
    const route = `${request.method} ${request.url.split("?")[0]}`;
    if (response.destroyed) return undefined;
    if (route === "GET /v1/models")
      return answer(response, 200, { object: "list", data: [{ id: settings.model, object: "model" }] });
    if (route !== "POST /v1/chat/completions") return refuse(response, 404, "the gateway has no such path");
    const body = await read(request);
    if (!body) return refuse(response, 413, "the request is too large");
    let asked;
    try {
      asked = JSON.parse(body);
    } catch {
      asked = null;
    }
    if (asked?.model !== settings.model)
      return refuse(response, 400, `the gateway serves only ${settings.model}`);
    const { most, refused } = this.#room(body.length);
    if (refused) return refuse(response, 402, refused, "cost_limit");
    result.requests += 1;
    const wanted = asked.max_tokens ?? asked.max_completion_tokens;
    delete asked.max_completion_tokens;
    delete asked.n;
    asked.max_tokens = wanted > 0 ? Math.min(wanted, most) : most;
    if (asked.stream === true) asked.stream_options = { include_usage: true };
    else delete asked.stream_options;
    const aborted = new AbortController();
    response.on("close", () => aborted.abort());
    const counter = new Usage(body.length);
    try {
      const passed = await fetch(`${settings.router}/v1/chat/completions`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: request.headers.accept ?? "*/*",
        },
        body: JSON.stringify(asked),
        redirect: "error",
        signal: aborted.signal,
      });
      if (!passed.ok) {
        const text = (await passed.text()).slice(0, 64 << 10);
        this.lastError = refusal(passed.status, text);
        response.writeHead(passed.status, retryHeaders(passed.headers));
        response.end(text);
        return;
      }
      this.lastError = null;
      counter.price = this.#offers.get(passed.headers.get("x-inference-provider")) ?? this.#worst;
      counter.begin();
      response.writeHead(200, { "content-type": passed.headers.get("content-type") ?? "application/json" });
      for await (const chunk of passed.body) {
        counter.push(chunk);
        if (!response.write(chunk))
          await new Promise((go) => {
            response.once("drain", go);
            response.once("close", go);
          });
      }
      response.end();
    } catch (error) {
      if (!aborted.signal.aborted) this.lastError = plain(error.cause?.message ?? error.message);
      throw error;
    } finally {
      this.#spent += counter.end();
    }
  }
}

/** Counts the tokens of one answer: as the router says, or by the bytes if it does not. */
class Usage {
  price = null;
  #sent;
  #received = 0;
  #rest = "";
  #reported = null;
  #has_begun = false;
  #decoder = new TextDecoder();

  constructor(sent) {
    this.#sent = sent;
  }

  begin() {
    this.#has_begun = true;
  }

  push(chunk) {
    this.#received += chunk.length;
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop();
    lines.forEach((line) => this.#read(line.replace(/^data:/, "")));
  }

  #read(text) {
    if (!text.includes('"usage"')) return;
    try {
      this.#reported = JSON.parse(text).usage ?? this.#reported;
    } catch {
      // No JSON, so it has no usage.
    }
  }

  /** Adds the tokens to the result, and returns their cost. */
  end() {
    if (!this.#has_begun) return 0;
    this.#read(this.#rest.replace(/^data:/, ""));
    const number = (value, size) =>
      Number.isFinite(value) && value >= 0 ? value : Math.ceil(size / BYTES_PER_TOKEN);
    const input = number(this.#reported?.prompt_tokens, this.#sent);
    const answered = number(this.#reported?.completion_tokens, this.#received);
    result.input_tokens += input;
    result.output_tokens += answered;
    if (!this.price) return 0;
    const cost = (input * this.price.input + answered * this.price.output) / 1e6;
    result.cost_usd = (result.cost_usd ?? 0) + cost;
    return cost;
  }
}

function retryHeaders(headers) {
  const after = headers.get("retry-after");
  return { "content-type": "application/json", ...(after && { "retry-after": after }) };
}

async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function answer(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function refuse(response, status, message, code = "gateway") {
  answer(response, status, { error: { message, type: "invalid_request_error", code } });
}
