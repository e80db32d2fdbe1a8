import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export default {
  // Otherwise it looks for the root among the folders above.
  outputFileTracingRoot: dirname(fileURLToPath(import.meta.url)),
  eslint: { ignoreDuringBuilds: true },
};
