/** What the exports of a host show about its peers, for a first `nwaudit.yaml`. */
export { seenHost } from './seen-host.ts';
