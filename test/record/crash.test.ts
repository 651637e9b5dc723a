/** What a recorder leaves behind that is killed, or whose disk is full. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { killRecorders } from '../../scripts/trace-kills.js';
import { repairTrace } from '../../src/trace/repair.js';
import { verifyTrace } from '../../src/trace/verify.js';
import { top, workFolder } from '../helpers/cli.js';
import { replay } from '../helpers/tape.js';
import { linesOf } from '../helpers/trace.js';

const folder = workFolder();

/** Why no file system can be mounted; undefined: one can. */
function noMount(): string | undefined {
  const tried = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', folder], { encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  return tried.error?.message ?? (tried.stderr.trim() || 'unshare -rm failed');
}
const reason = noMount();

describe('a recorder that is killed', () => {
  it('leaves a trace that replays as far as it was written', async () => {
    const totals = await killRecorders({ kills: 5, seed: 1, engine: 'interp', top });
    expect(totals.kills).toBe(5);
  }, 120_000);
});

describe.skipIf(reason !== undefined)(
  `a recorder whose disk is full (${reason ?? 'a small one can be mounted'})`,
  () => {
    /** For ever: imul dx,dx,6255h; add dx,3619h; mov al,dh; out 80h,al. */
    const noise = [0x69, 0xd2, 0x55, 0x62, 0x81, 0xc2, 0x19, 0x36, 0x88, 0xf0, 0xe6, 0x80, 0xeb, 0xf2];

    /** Records on a disk of so many bytes; what was written is copied to the path that is returned. */
    function recordOnDisk(
      bytes: number,
      more: Uint8Array = new Uint8Array(0),
    ): { path: string; status: number | null; stderr: string } {
      const guest = join(folder, 'noise.bin');
      writeFileSync(guest, Uint8Array.from([...noise, ...more]));
      const disk = join(folder, `disk-${bytes}`);
      mkdirSync(disk);
      const path = join(folder, `full-${bytes}.vmtape`);
      const script =
        'mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99; ' +
        '"$3" "$4" record --engine interp --mem 1M --flat "$5" --max-exits 1000000 -o "$2/t.vmtape"; ' +
        'code=$?; if [ -e "$2/t.vmtape" ]; then cp "$2/t.vmtape" "$6"; fi; exit $code';
      const args = ['-rm', 'sh', '-c', script, 'sh', String(bytes), disk, process.execPath];
      const result = spawnSync('unshare', [...args, join(top, 'bin/vmtape.mjs'), guest, path], { encoding: 'utf8' });
      return { path, status: result.status, stderr: result.stderr };
    }

    // 200,000 bytes are not whole pages: the last write is a short one.
    it.each([120_000, 200_000])('of %d bytes leaves a trace that replays as far as it was written', async (bytes) => {
      const { path, status, stderr } = recordOnDisk(bytes);
      expect(stderr).toMatch(/^vmtape: .* cannot be written: no space is left on the device.*\n$/);
      expect(status).toBe(5);
      const lines = linesOf(path);
      expect(lines.pop()).toBe('VMTAPE_TRACE_TRUNCATED');
      expect(lines.length).toBeGreaterThan(60_000);
      const replayed = await replay(path, 'interp', 'machine');
      expect(replayed).toMatchObject({
        kind: 'complete',
        records: lines.length,
        damage: { code: 'VMTAPE_TRACE_TRUNCATED' },
      });
      expect(repairTrace(path)).toMatchObject({ kind: 'ended', records: lines.length, lost: 0 });
      expect((await verifyTrace(path)).problems).toEqual([]);
    });

    it('before the guest ran leaves nothing', () => {
      const { path, status, stderr } = recordOnDisk(4096, randomBytes(0x4000));
      expect(stderr).toMatch(/no space is left on the device/);
      expect(status).toBe(5);
      expect(existsSync(path)).toBe(false);
    });
  },
);
