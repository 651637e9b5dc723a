/**
 * vmtape as a library: record a virtual machine, replay the trace, read and write traces. What is exported here is the
 * interface; everything else may change.
 */
export { ExitCode, VmtapeError } from './base/errors.js';
export { type HostPort, realHost } from './base/host.js';
export { packageVersion } from './base/version.js';
export type { RecordedFile, RecordOptions, RecordSummary } from './record/options.js';
export { RecordSession } from './record/session.js';
export type { Divergence } from './replay/divergence.js';
export type { ReplayMode, ReplayOptions, ReplayResult } from './replay/options.js';
export { ReplaySession } from './replay/session.js';
export { TraceAppender } from './trace/append.js';
export type { TraceCheckpoint } from './trace/checkpoint.js';
export { TraceCursor } from './trace/cursor.js';
export { type DiffOptions, diffTraces, type RecordDifference, type TraceDiff } from './trace/diff.js';
export { editTrace } from './trace/edit.js';
export type { TraceEnd, TraceGuestFile, TraceHeader } from './trace/header.js';
export { openTrace, Trace, type TraceFrame, type TraceTotals } from './trace/open.js';
export { TraceReader, type TraceReaderOptions } from './trace/reader.js';
export {
  describeRecord,
  formatRecord,
  RecordKind,
  recordNames,
  type TraceLandmark,
  TraceRecord,
} from './trace/record.js';
export { type RepackOptions, type RepackResult, repackTrace } from './trace/repack.js';
export { type RepairResult, repairTrace } from './trace/repair.js';
export { type TraceVerdict, verifyTrace } from './trace/verify.js';
export { TraceWriter } from './trace/writer.js';
export { type BootedGuest, bootGuest } from './vmm/boot/boot.js';
export type { BootRequest, BootSource, FlatMode } from './vmm/boot/request.js';
export { vmtape64Cpuid } from './vmm/cpu/cpuid.js';
export type { CpuState } from './vmm/cpu/state.js';
export type { CpuidEntry } from './vmm/cpu/vcpu.js';
export { HookKind } from './vmm/hooks/table.js';
export { Machine } from './vmm/machine.js';
export type {
  EndReason,
  EngineName,
  LoadedGuest,
  MachineEnd,
  MachineLimits,
  MachineOptions,
} from './vmm/machine-options.js';
export { Landing, type MachineTaps } from './vmm/machine-taps.js';
export { GuestMemory } from './vmm/memory.js';
