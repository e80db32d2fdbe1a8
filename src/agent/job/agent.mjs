// The agent: its installation, its configuration, and its process.

import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { MAX_ANSWER } from "./gateway.mjs";
import { Ended, plain, result, say, settings } from "./shared.mjs";

/** User of the agent: `node` in the official images. */
export const USER = 1000;
/** Time for the installation of the package, in milliseconds. */
const INSTALL_TIME = 180_000;
/** Time in which the agent may end by itself after a signal. */
const GRACE = 5_000;
/** Longest line of the agent's events. */
const MAX_LINE = 32 << 20;

/** Returns the user of the agent, if this process may become another one. */
export function findUser() {
  if (process.getuid() !== 0) return null;
  const user = { uid: USER, gid: USER };
  // A container may have root without the right to become another user.
  const tried = spawnSync(process.execPath, ["-e", ""], { ...user, stdio: "ignore", env: {}, cwd: "/" });
  return tried.error || tried.status !== 0 ? null : user;
}

/** Installs the package, without any script of it. */
export async function install(folder) {
  const began = Date.now();
  const wanted = `${settings.package}@${settings.version}`;
  const options = [
    "--ignore-scripts",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--no-package-lock",
    "--loglevel=error",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=10000",
  ];
  const npm = spawn("npm", ["install", ...options, "--prefix", folder, wanted], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: INSTALL_TIME,
  });
  let said = "";
  for (const stream of [npm.stdout, npm.stderr])
    stream.on("data", (data) => {
      said = (said + data).slice(-4000);
    });
  const code = await new Promise((end) => {
    npm.on("error", (error) => end(error.message));
    npm.on("close", (status, signal) => end(signal ? `no end within ${INSTALL_TIME / 1000} s` : status));
  });
  if (code !== 0) throw new Ended("failed", `cannot install ${wanted}: ${plain(said) || code}`);
  say(`installed ${wanted} in ${Math.round((Date.now() - began) / 1000)} s`);
  return path.join(folder, "node_modules", settings.package, "dist", "cli.js");
}

/** Writes the configuration of the agent. */
export function configure(folder, gateway, context) {
  const model = {
    id: settings.model,
    contextWindow: context,
    maxTokens: Math.min(MAX_ANSWER, Math.floor(context / 4)),
  };
  const provider = {
    baseUrl: gateway,
    api: "openai-completions",
    // Pi wants a key, and the gateway has the real one.
    apiKey: "none",
    compat: {
      supportsDeveloperRole: false,
      supportsStore: false,
      supportsReasoningEffort: false,
      maxTokensField: "max_tokens",
    },
    models: [model],
  };
  fs.writeFileSync(path.join(folder, "models.json"), JSON.stringify({ providers: { gateway: provider } }));
  const quiet = {
    defaultProjectTrust: "never",
    enableInstallTelemetry: false,
    enableAnalytics: false,
    quietStartup: true,
    cacheWarming: "off",
  };
  fs.writeFileSync(path.join(folder, "settings.json"), JSON.stringify(quiet));
}

const FLAGS = [
  "--mode",
  "json",
  "--print",
  "--offline",
  "--no-approve",
  "--no-mcp",
  "--no-extensions",
  "--no-skills",
  "--no-prompt-templates",
  "--no-themes",
  "--no-context-files",
  "--tools",
  "read,bash,edit,write",
];

/** Logs what the agent does, from its events, and keeps how it ended. */
class Events {
  #rest = "";
  #decoder = new TextDecoder();
  stopped = null;
  error = null;

  push(data) {
    this.#rest += this.#decoder.decode(data, { stream: true });
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop();
    if (this.#rest.length > MAX_LINE) this.#rest = "";
    lines.forEach((line) => this.#take(line));
  }

  #take(line) {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      return;
    }
    if (event?.type === "tool_execution_start") {
      const { path: file, command } = event.args ?? {};
      say(`agent: ${event.toolName} ${command ?? file ?? ""}`);
    } else if (event?.type === "message_end" && event.message?.role === "assistant") {
      this.stopped = event.message.stopReason;
      this.error = event.message.errorMessage ?? null;
      const texts = (event.message.content ?? [])
        .filter((part) => part.type === "text")
        .map((part) => part.text);
      if (texts.length > 0) say(`agent: ${texts.join(" ")}`);
    }
  }
}

/** Ends every process with this mark in its environment, also those that left the agent's group. */
function endMarked(mark) {
  for (let round = 0; round < 20; round += 1) {
    let found = 0;
    for (const name of fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
      try {
        if (!fs.readFileSync(`/proc/${name}/environ`).includes(mark)) continue;
        // A process that has ended, and that its parent has not seen yet.
        if (/^State:\s+Z/m.test(fs.readFileSync(`/proc/${name}/status`, "utf8"))) continue;
        process.kill(Number(name), "SIGKILL");
        found += 1;
      } catch {
        // It belongs to another user, or has ended.
      }
    }
    if (found === 0) return;
  }
}

/** Runs the agent to its end, or to one of its limits. */
export async function runAgent(cli, places, user, gateway) {
  const mark = `HF_DEPLOY_AGENT=${randomUUID()}`;
  const environment = {
    PATH: process.env.PATH,
    LANG: process.env.LANG ?? "C.UTF-8",
    HOME: places.home,
    TMPDIR: places.home,
    PI_CODING_AGENT_DIR: places.config,
    PI_OFFLINE: "1",
    PI_TELEMETRY: "0",
    PI_SKIP_VERSION_CHECK: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    HF_DEPLOY_AGENT: mark.split("=")[1],
  };
  const prompt = fs.readFileSync("prompt.md", "utf8");
  const words = [
    cli,
    ...FLAGS,
    "--session-dir",
    places.sessions,
    "--provider",
    "gateway",
    "--model",
    settings.model,
    "--",
    prompt,
  ];
  const child = spawn(process.execPath, words, {
    ...user,
    cwd: places.space,
    env: environment,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const events = new Events();
  let errors = "";
  child.stdout.on("data", (data) => events.push(data));
  child.stderr.on("data", (data) => {
    errors = (errors + data).slice(-4000);
  });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  const end = () => {
    signal("SIGTERM");
    setTimeout(() => signal("SIGKILL"), GRACE).unref();
  };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end();
  }, settings.seconds * 1000);
  gateway.onLimit = end;
  const exit = await new Promise((done) => {
    child.on("error", (error) => done({ error: error.message }));
    child.on("exit", (code) => done({ code }));
  });
  clearTimeout(timer);
  signal("SIGKILL");
  endMarked(mark);
  result.exit_code = exit.code ?? null;
  if (exit.error) throw new Ended("failed", `cannot start the agent: ${exit.error}`);
  if (isLate) throw new Ended("time_limit", `the agent did not end within ${settings.seconds} s`);
  if (gateway.limit) throw new Ended("cost_limit", gateway.limit);
  if (exit.code !== 0)
    throw new Ended("failed", `the agent ended with exit code ${exit.code}: ${plain(errors)}`);
  if (events.stopped !== "stop") {
    const reason = gateway.lastError ?? events.error ?? errors;
    throw new Ended(
      "failed",
      `the agent stopped without an end (${events.stopped ?? "no answer"}): ${plain(reason)}`,
    );
  }
  result.ended = "finished";
}
