import type { Interval } from '../net/index.ts';
import type { Origin } from './origin.ts';

/** A range that a host reports of itself, with the line that says so. */
export interface ReportedRange {
  /** Normalized, within 1-65535; empty: not restricted (`0-0`), which only connection ports can be. */
  readonly ranges: readonly Interval[];
  readonly origin: Origin;
}

/** The port ranges of one NetWorker host as its own `nsrports` prints them. */
export interface PortRanges {
  /** Ports its services listen on; `undefined`: not said, or not readable. */
  readonly service: ReportedRange | undefined;
  /** Source ports of the connections it opens; `undefined` as above. */
  readonly connection: ReportedRange | undefined;
}
