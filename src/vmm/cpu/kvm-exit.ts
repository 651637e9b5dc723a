/** The exit record of a KVM vCPU: numbers read from the kvm_run page, the data left where the kernel put them. */
import { ENGINE_ERROR_EMULATION, ENGINE_ERROR_ENTRY, ENGINE_ERROR_FETCH } from '../../../interp/layout.js';
import { INTERNAL_ERROR_EMULATION, INTERNAL_ERROR_HAS_BYTES, KvmExit, RunPage } from './kvm-constants.js';
import { ExitReason, type ExitRecord } from './vcpu.js';

const SUBERRORS: Record<number, string> = {
  1: 'emulation failure',
  2: 'simultaneous exceptions',
  3: 'exit while an event was delivered',
  4: 'unexpected exit reason',
};

/** One record, filled again at each exit; nothing is allocated but for an engine error. */
export class KvmExitRecord implements ExitRecord {
  reason: ExitReason = ExitReason.Kicked;
  address = 0;
  size = 0;
  isWrite = false;
  count = 0;
  dataOffset = 0;
  errorCode = 0;
  errorBytes: Uint8Array = new Uint8Array(0);
  /** EngineError: what the kernel said, in words. */
  errorDetail = '';
  /** The instruction of the exit is not finished: KVM goes on with it at the next entry. */
  needsCompletion = false;

  /** `bytes` is the whole mapping of the vCPU. */
  constructor(readonly bytes: DataView) {}

  /** Fills the record from the page after KVM_RUN returned `code` (KvmExit, or -errno for a kick). */
  decode(code: number): ExitReason {
    this.needsCompletion = false;
    switch (code) {
      case KvmExit.Io:
        return this.#decodeIo();
      case KvmExit.Mmio:
        return this.#decodeMmio();
      case KvmExit.MsrRead:
      case KvmExit.MsrWrite:
        return this.#decodeMsr(code);
      case KvmExit.Halt:
        return this.#plain(ExitReason.Halt);
      case KvmExit.WindowOpen:
        return this.#plain(ExitReason.Window);
      case KvmExit.Debug:
        return this.#plain(ExitReason.Debug);
      case KvmExit.Shutdown:
        return this.#plain(ExitReason.Shutdown);
      case KvmExit.Interrupted:
        return this.#plain(ExitReason.Kicked);
      default:
        if (code < 0) return this.#plain(ExitReason.Kicked);
        return this.#decodeError(code);
    }
  }

  #plain(reason: ExitReason): ExitReason {
    this.reason = reason;
    this.address = 0;
    this.size = 0;
    this.count = 0;
    return reason;
  }

  #decodeIo(): ExitReason {
    const { bytes } = this;
    this.reason = ExitReason.Io;
    this.isWrite = bytes.getUint8(RunPage.io.direction) === 1;
    this.size = bytes.getUint8(RunPage.io.size);
    this.address = bytes.getUint16(RunPage.io.port, true);
    this.count = bytes.getUint32(RunPage.io.count, true);
    this.dataOffset = bytes.getUint32(RunPage.io.dataOffset, true);
    this.needsCompletion = true;
    return ExitReason.Io;
  }

  #decodeMmio(): ExitReason {
    const { bytes } = this;
    const { address } = RunPage.mmio;
    this.reason = ExitReason.Mmio;
    this.address = bytes.getUint32(address, true) + bytes.getUint32(address + 4, true) * 2 ** 32;
    this.size = bytes.getUint32(RunPage.mmio.length, true);
    this.isWrite = bytes.getUint8(RunPage.mmio.isWrite) !== 0;
    this.count = 1;
    this.dataOffset = RunPage.mmio.data;
    this.needsCompletion = true;
    return ExitReason.Mmio;
  }

  #decodeMsr(code: number): ExitReason {
    this.isWrite = code === KvmExit.MsrWrite;
    this.reason = this.isWrite ? ExitReason.MsrWrite : ExitReason.MsrRead;
    this.address = this.bytes.getUint32(RunPage.msr.index, true);
    this.size = 8;
    this.count = 1;
    this.dataOffset = RunPage.msr.data;
    this.needsCompletion = true;
    return this.reason;
  }

  #decodeError(code: number): ExitReason {
    const { bytes } = this;
    this.#plain(ExitReason.EngineError);
    this.errorCode = ENGINE_ERROR_ENTRY;
    this.errorBytes = new Uint8Array(0);
    if (code === KvmExit.InternalError) {
      const suberror = bytes.getUint32(RunPage.internal.suberror, true);
      const name = SUBERRORS[suberror];
      this.errorDetail = `KVM_EXIT_INTERNAL_ERROR, suberror ${suberror}${name ? ` (${name})` : ''}`;
      if (suberror === INTERNAL_ERROR_EMULATION) this.#decodeEmulation();
    } else if (code === KvmExit.FailEntry) {
      const reason = bytes.getBigUint64(RunPage.failEntry.reason, true);
      this.errorDetail = `KVM_EXIT_FAIL_ENTRY, hardware entry failure reason 0x${reason.toString(16)}`;
    } else if (code === KvmExit.SystemEvent) {
      this.errorDetail = `KVM_EXIT_SYSTEM_EVENT, type ${bytes.getUint32(RunPage.systemEvent.type, true)}`;
    } else {
      this.errorDetail = `KVM exit reason ${code}, which vmtape does not know`;
    }
    return ExitReason.EngineError;
  }

  #decodeEmulation(): void {
    const { bytes } = this;
    const { internal } = RunPage;
    this.errorCode = ENGINE_ERROR_EMULATION;
    const hasBytes =
      bytes.getUint32(internal.dataCount, true) >= 3 &&
      (bytes.getUint32(internal.flags, true) & INTERNAL_ERROR_HAS_BYTES) !== 0;
    if (!hasBytes) return;
    const size = Math.min(bytes.getUint8(internal.instructionSize), 15);
    const start = bytes.byteOffset + internal.instructionBytes;
    this.errorBytes = new Uint8Array(bytes.buffer, start, size).slice();
    if (size === 0) this.errorCode = ENGINE_ERROR_FETCH;
  }
}
