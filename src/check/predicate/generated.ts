import { isGeneratedChain } from '../generated-chain.ts';
import { type Predicate, readBoolean } from './predicate.ts';

/** Whether another program writes the chain. */
export const generated: Predicate = {
  name: 'generated',
  kind: 'subject',
  description:
    'Another program writes the chain: Docker, Kubernetes, libvirt, fail2ban and the like, by its name',
  takes: '`true` or `false`',
  scopes: ['rule', 'chain'],
  examples: [{ yaml: 'false', means: 'only what an administrator wrote is looked at' }],
  read: (value, path, decoder) => {
    const wanted = readBoolean(value, path, decoder);
    return { kind: 'subject', holds: ({ chain }) => isGeneratedChain(chain?.name ?? '') === wanted };
  },
};
