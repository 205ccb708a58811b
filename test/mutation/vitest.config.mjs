import { defineConfig } from 'vitest/config';
import { chosenSubject } from './subjects.mjs';

const { tests, environment } = chosenSubject();

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: { include: tests, env: environment, testTimeout: 600_000, hookTimeout: 600_000 },
});
