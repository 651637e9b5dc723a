#!/usr/bin/env node
/** The command. In the package this is all; in a clone that nobody has built yet, it builds first. */
import { existsSync } from 'node:fs';

const compiled = new URL('../dist/src/cli/main.js', import.meta.url);
const setupScript = new URL('../scripts/setup.mjs', import.meta.url);
if (!existsSync(compiled) && existsSync(setupScript)) {
  const { setupOrExit } = await import(setupScript.href);
  await setupOrExit();
}
await import(compiled.href);
