/** The version of this package. */
import { readFileSync } from 'node:fs';

let version: string | undefined;

/** `version` of package.json, which lies beside src/ or beside dist/. */
export function packageVersion(): string {
  version ??=
    read(new URL('../../package.json', import.meta.url)) ?? read(new URL('../../../package.json', import.meta.url));
  return version ?? 'unknown';
}

function read(url: URL): string | undefined {
  try {
    const parsed = JSON.parse(readFileSync(url, 'utf8')) as { name?: unknown; version?: unknown };
    return parsed.name === 'vmtape' && typeof parsed.version === 'string' ? parsed.version : undefined;
  } catch {
    return undefined;
  }
}
