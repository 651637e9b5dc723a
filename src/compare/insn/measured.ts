/** What no public text says: a source of the tables of explanations may be a measurement, marked so and with the machine. */

/** The machine, as it names itself in /proc/cpuinfo and uname; its KVM has neither VT-x nor AMD-V. */
const MACHINE = 'AMD EPYC (family 25, model 17), Linux 6.18 with kvm_pvm';

/** A source that is a measurement. */
export function measured(what: string): string {
  return `measured on ${MACHINE}: ${what}`;
}
