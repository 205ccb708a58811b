/** Checks of the contract that are still being built: to be emptied as they come, and then this file goes. */
export const COMING_CHECKS: readonly string[] = [
  'egress-unrestricted',
  'never-remote-port',
  'plaintext-message-bus',
  'reject-reveals-host',
  'rule-not-explicit',
  'undeclared-port',
  'vendor-requires-more',
];
