/** Traces of real runs for the corpus of the trace fuzzer: they replay, from their start and from their checkpoints. */
import { existsSync, readFileSync } from 'node:fs';
import { realHost } from '../base/host.js';
import { RecordSession } from '../record/session.js';
import { CheckpointFile } from '../replay/checkpoint-file.js';
import { ReplaySession } from '../replay/session.js';
import { bootGuest } from '../vmm/boot/boot.js';
import { vmtape64Cpuid } from '../vmm/cpu/cpuid.js';
import { HookKind } from '../vmm/hooks/table.js';

const MEMORY = 0x40_0000;
const LOAD_AT = 0x10_0000;
/** So many exits: enough for interrupts of both kinds of controllers, and few enough for a replay in milliseconds. */
const EXITS = 300;
const CHECKPOINTS = 3;

/** The guest `apics`, recorded, as it is and with checkpoints: paths in a folder. */
export async function writeRunSeeds(folder: string): Promise<string[]> {
  const run = `${folder}/run.vmtape`;
  const checkpoints = `${folder}/run-checkpoints.vmtape`;
  const session = await RecordSession.open({
    machine: {
      engine: 'interp',
      guest: bootGuest({
        ramSize: MEMORY,
        source: { kind: 'flat', image: { name: 'apics', bytes: guestImage('apics') }, loadAt: LOAD_AT, mode: 'long64' },
        hooks: new Set(Object.values(HookKind)),
      }),
      cpuid: vmtape64Cpuid(),
      host: realHost,
      limits: { exits: EXITS },
    },
    path: run,
    id: new Uint8Array(16),
    date: 0,
    options: {},
    tsc: 'hook',
    ledger: null,
    host: {},
  });
  try {
    await session.run();
  } finally {
    session.close();
  }
  const file = new CheckpointFile(run, { every: Math.floor(EXITS / (CHECKPOINTS + 1)), output: checkpoints });
  const replay = await ReplaySession.open({ path: run, host: realHost, checkpoints: file });
  try {
    await replay.run();
    file.finish();
  } finally {
    replay.close();
    file.discard();
  }
  return [run, checkpoints];
}

function guestImage(name: string): Uint8Array {
  const places = ['../../', '../../../'].map((top) => new URL(`${top}corpora/guests/${name}.bin`, import.meta.url));
  return readFileSync(places.find((place) => existsSync(place)) ?? (places[0] as URL));
}
