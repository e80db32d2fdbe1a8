// What the agent leaves behind: regular files with allowed names, and its sessions. All of it is data.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

import { output, plain, result, say, settings } from "./shared.mjs";

/** Largest size of all sessions. */
const MAX_SESSIONS = 64 << 20;
/** Number of entries that are listed, and of sessions. */
const MAX_LISTED = 50;

/** Reads a regular file without following a link. Returns its bytes, or the reason why not: a word of the result. */
function readRegular(file, most) {
  let handle;
  try {
    handle = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    return { reason: error.code === "ELOOP" ? "link" : "special" };
  }
  try {
    const state = fs.fstatSync(handle);
    if (!state.isFile()) return { reason: "special" };
    // A hard link leads to a file elsewhere.
    if (state.nlink > 1) return { reason: "link" };
    if (state.size > most) return { reason: "too_large" };
    return { bytes: fs.readFileSync(handle) };
  } finally {
    fs.closeSync(handle);
  }
}

/** Takes a folder away from the agent's user, so that no process changes it while it is read. */
export function lock(folder, user) {
  if (!user) return;
  fs.chownSync(folder, 0, 0);
  fs.chmodSync(folder, 0o700);
}

/** Writes the allowed files of the agent to the output. Returns them. */
export function collectFiles(folder, given) {
  const target = path.join(output, "space");
  fs.mkdirSync(target, { recursive: true });
  const kept = [];
  let total = 0;
  const refuse = (name, reason) => {
    if (result.refused.length < MAX_LISTED) result.refused.push({ path: plain(name, 200), reason });
  };
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const { name } = entry;
    const most = Math.min(settings.max_file, settings.max_total - total);
    const { bytes, reason } = entry.isDirectory()
      ? { reason: "other_name" }
      : readRegular(path.join(folder, name), most);
    const isGiven = bytes && given.get(name)?.equals(bytes);
    if (reason) refuse(name, reason);
    else if (settings.allowed.includes(name)) {
      fs.writeFileSync(path.join(target, name), bytes);
      kept.push({ name, bytes });
      total += bytes.length;
    } else if (!isGiven) refuse(name, "other_name");
  }
  return kept;
}

/** Compiles the Python files, without running them. */
export function compile(files, user) {
  const program = "import sys; compile(sys.stdin.buffer.read(), sys.argv[1], 'exec', dont_inherit=True)";
  const options = { ...user, cwd: "/", env: { PATH: process.env.PATH }, timeout: 30_000 };
  const python = spawnSync("python3", ["-I", "-c", ""], options);
  if (python.status !== 0) {
    say("the image has no python3, so nothing is compiled");
    return;
  }
  result.compiled = [];
  for (const { name, bytes } of files.filter((file) => file.name.endsWith(".py"))) {
    const ran = spawnSync("python3", ["-I", "-W", "ignore", "-c", program, name], {
      ...options,
      input: bytes,
    });
    const lines = String(ran.stderr ?? "")
      .trim()
      .split("\n");
    const place = lines.find((line) => line.includes(`File "${name}"`)) ?? "";
    const message = ran.status === 0 ? "" : plain(`${lines.at(-1)} ${place}`);
    result.compiled.push({ path: name, ok: ran.status === 0, message });
  }
}

/** Writes the sessions to the output. */
export function collectSessions(folder) {
  const target = path.join(output, "traces", "raw");
  let left = MAX_SESSIONS;
  for (const name of fs
    .readdirSync(folder)
    .filter((entry) => /^[\w.-]+\.jsonl$/.test(entry))
    .sort()
    .slice(0, MAX_LISTED)) {
    const { bytes, reason } = readRegular(path.join(folder, name), left);
    if (reason) {
      say(`the session ${name} is left out: ${reason}`);
      continue;
    }
    fs.mkdirSync(target, { recursive: true });
    fs.writeFileSync(path.join(target, name), bytes);
    left -= bytes.length;
    result.sessions += 1;
  }
}
