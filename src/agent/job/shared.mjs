// What the files of the agent's Job share: its settings, its result, and its log.

import fs from "node:fs";

/** Variable of the token. It is removed before another program starts. */
const TOKEN = "AGENT_TOKEN";
const MAX_MESSAGE = 500;

export const output = process.argv[2];
export const token = process.env[TOKEN] ?? "";
delete process.env[TOKEN];
export const settings = JSON.parse(fs.readFileSync("settings.json", "utf8"));

export const result = {
  schema: 1,
  ended: "failed",
  message: null,
  exit_code: null,
  has_own_user: false,
  requests: 0,
  input_tokens: 0,
  output_tokens: 0,
  cost_usd: null,
  compiled: null,
  refused: [],
  sessions: 0,
};

/** Returns a text of one line without the token. */
export function plain(text, most = MAX_MESSAGE) {
  const masked = token ? String(text).replaceAll(token, "***") : String(text);
  const line = masked.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

export function say(text) {
  console.log(plain(text, 300));
}

/** An end of the run that the result explains. */
export class Ended extends Error {
  constructor(ended, message) {
    super(message);
    this.ended = ended;
  }
}
