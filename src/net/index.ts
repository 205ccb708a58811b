/** Addresses, prefixes, ports, protocols and intervals: plain values, no dependencies. */
export * from './address.ts';
export * from './interval.ts';
export * from './protocol.ts';
