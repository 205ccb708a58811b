import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    // No test has a time limit of its own; this one only ends a hang.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // vitest leaves one processor free, which is half of a machine of two; many tests wait for other programs.
    maxWorkers: '100%',
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // `npm test -- --coverage` on a user's machine; CI measures every run.
      enabled: process.env.NWAUDIT_COVERAGE === '1',
      reporter: [['text', { skipFull: true, maxCols: 160 }], 'text-summary', 'json'],
      reportsDirectory: 'coverage',
    },
  },
});
