// Test results as `tests/run` counts them: a line a test, and the sum in the words of cargo's test runner.
export default async function* reporter(events) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of events) {
    const isTest = data?.details?.type !== 'suite';
    if (type === 'test:pass' && isTest) {
      if (data.skip !== undefined || data.todo !== undefined) failed += 1;
      else passed += 1;
      yield `test ${data.name} ... ${data.skip === undefined ? 'ok' : 'SKIPPED'} (${Math.round(data.details.duration_ms)} ms)\n`;
    } else if (type === 'test:fail' && isTest) {
      failed += 1;
      const { error } = data.details;
      yield `test ${data.name} ... FAILED\n${error?.cause?.stack ?? error?.stack ?? String(error)}\n`;
    } else if (type === 'test:stdout' || type === 'test:stderr') {
      yield data.message;
    }
  }
  yield `test result: ${failed === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${failed} failed\n`;
}
