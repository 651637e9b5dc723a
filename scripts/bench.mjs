/** `npm run bench`: makes the clone ready, then measures (bench/main.ts). */
import { setupOrExit } from './setup.mjs';

await setupOrExit();
await import('../dist/bench/main.js');
