// Uploads and downloads with `@huggingface/hub`: `calls.mjs ENDPOINT REPO TYPE`, with the token in `HF_TOKEN`. Prints
// the results as JSON.
import { createHash } from "node:crypto";
import {
  createRepo,
  deleteFile,
  downloadFile,
  fileDownloadInfo,
  listFiles,
  uploadFiles,
  whoAmI,
} from "@huggingface/hub";

const [hubUrl, name, type] = process.argv.slice(2);
const common = { hubUrl, accessToken: process.env.HF_TOKEN };
const repo = { type, name };
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");

// Bytes without a pattern, equal in each run.
function noise(seed, length) {
  const parts = [];
  for (let count = 0; count * 32 < length; count++) parts.push(createHash("sha256").update(`${seed}/${count}`).digest());
  return Buffer.concat(parts).subarray(0, length);
}

const contents = {
  "README.md": Buffer.from("---\nlicense: mit\n---\n\n# A card\n"),
  "folder/config.json": Buffer.from('{"key": 1}\n'),
  "folder/with space.txt": Buffer.from("space\n"),
  "empty.txt": Buffer.alloc(0),
  "large.bin": noise("large", 3_000_000),
};
const files = Object.entries(contents).map(([path, bytes]) => ({ path, content: new Blob([bytes]) }));

const results = { sent: Object.fromEntries(Object.entries(contents).map(([path, bytes]) => [path, sha(bytes)])) };
results.user = (await whoAmI(common)).name;
await createRepo({ ...common, repo, sdk: type === "space" ? "static" : undefined });
const useXet = process.env.USE_XET === "1";
results.commit = (await uploadFiles({ ...common, repo, files, useXet })).commit.oid;

results.listed = {};
for await (const file of listFiles({ ...common, repo, recursive: true })) {
  if (file.type === "file") results.listed[file.path] = file.size;
}
results.received = {};
for (const [path, bytes] of Object.entries(contents)) {
  // The client requests the first byte of a file, which an empty file does not have.
  if (!bytes.length) continue;
  const blob = await downloadFile({ ...common, repo, path, xet: useXet });
  results.received[path] = sha(Buffer.from(await blob.arrayBuffer()));
}
const large = await fileDownloadInfo({ ...common, repo, path: "large.bin" });
results.info = { size: large.size, etag: large.etag, xet: large.xet?.hash ?? null };
const slice = (await downloadFile({ ...common, repo, path: "large.bin", xet: useXet })).slice(1_000_000, 1_000_100);
results.slice = sha(Buffer.from(await slice.arrayBuffer())) === sha(contents["large.bin"].subarray(1_000_000, 1_000_100));
results.pointer = await (await downloadFile({ ...common, repo, path: "large.bin", raw: true })).text();
results.missing = await downloadFile({ ...common, repo, path: "none.txt" });

const suggestion = [{ path: "added.bin", content: new Blob([noise("added", 100_000)]) }];
const pull = await uploadFiles({ ...common, repo, files: suggestion, useXet, isPullRequest: true });
results.pullRequest = pull.pullRequestUrl;
await deleteFile({ ...common, repo, path: "folder" });
console.log(JSON.stringify(results));
