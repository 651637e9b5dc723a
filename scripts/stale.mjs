/** What is older than what: the one question on which setup and build decide whether there is work. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The latest modification time (milliseconds) of a file, or of anything in a folder for which `wanted` holds; 0: nothing. */
export function newest(path, wanted = () => true) {
  if (!existsSync(path)) return 0;
  const status = statSync(path);
  if (!status.isDirectory()) return wanted(path) ? status.mtimeMs : 0;
  let latest = 0;
  for (const name of readdirSync(path)) latest = Math.max(latest, newest(join(path, name), wanted));
  return latest;
}

/** `made` is missing, or something of `sources` is younger. */
export function isStale(made, sources, wanted) {
  if (!existsSync(made)) return true;
  const madeAt = statSync(made).mtimeMs;
  return sources.some((source) => newest(source, wanted) > madeAt);
}
