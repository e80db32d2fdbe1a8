// The program of the agent's Job: `node main.mjs OUTPUT`, in the folder with settings.json, prompt.md and space/.
//
// This process holds the token. The agent gets the address of a gateway on this machine, and no token. Where this
// process is root, the agent runs as another user, who cannot read the memory and the environment of this process.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { USER, configure, findUser, install, runAgent } from "./agent.mjs";
import { collectFiles, collectSessions, compile, lock } from "./files.mjs";
import { Gateway, look } from "./gateway.mjs";
import { Ended, output, plain, result, say, settings } from "./shared.mjs";

async function main() {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), "agent-"));
  fs.chmodSync(base, 0o755);
  const user = findUser();
  result.has_own_user = user !== null;
  if (!user) say("this process cannot become another user, so the agent runs as the same one");
  const places = {};
  for (const name of ["pi", "space", "home", "config", "sessions"]) {
    places[name] = path.join(base, name);
    fs.mkdirSync(places[name]);
  }
  const given = new Map();
  for (const name of fs.readdirSync("space")) {
    const bytes = fs.readFileSync(path.join("space", name));
    given.set(name, bytes);
    fs.writeFileSync(path.join(places.space, name), bytes);
  }
  let gateway;
  try {
    const { offers, context } = await look(settings.model);
    if (offers.size === 0)
      say(`no provider names a price, so only the number of requests is limited: ${settings.max_requests}`);
    gateway = new Gateway(offers, () => {});
    const address = await gateway.listen();
    const cli = await install(places.pi);
    configure(places.config, address, context);
    if (user) {
      for (const folder of [places.space, places.home, places.config, places.sessions]) {
        for (const name of ["", ...fs.readdirSync(folder)]) fs.chownSync(path.join(folder, name), USER, USER);
      }
    }
    await runAgent(cli, places, user, gateway);
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    result.ended = error.ended;
    result.message = plain(error.message);
  } finally {
    gateway?.close();
  }
  // An agent without a user of its own may have written there.
  for (const name of ["space", "traces", "result.json"])
    fs.rmSync(path.join(output, name), { recursive: true, force: true });
  lock(places.space, user);
  lock(places.sessions, user);
  compile(collectFiles(places.space, given), user);
  collectSessions(places.sessions);
  fs.rmSync(base, { recursive: true, force: true });
  const { ended, message, requests, input_tokens, output_tokens } = result;
  say(`the agent: ${ended}${message ? `: ${message}` : ""}`);
  say(`${requests} requests, ${input_tokens} tokens in, ${output_tokens} tokens out`);
}

try {
  await main();
} catch (error) {
  result.ended = "failed";
  result.message = plain(error.message);
  say(`the agent: failed: ${error.message}`);
}
fs.writeFileSync(path.join(output, "result.json"), JSON.stringify(result, null, 2));
process.exit(0);
