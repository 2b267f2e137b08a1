// What the main thread of a page does meanwhile, task by task, in CPU time: other processes on the machine do not count.

/** Room for the trace, in kilobytes; one that did not fit is an error. */
const ROOM_KB = 512 * 1024;

/** Runs `act` under a trace and sums up the tasks of the page's main thread. */
export async function traced(page, act) {
  const devtools = await page.context().newCDPSession(page);
  const events = [];
  devtools.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value) if (isTask(event) || isMetadata(event)) events.push(event);
  });
  const done = new Promise((resolve) => devtools.once('Tracing.tracingComplete', resolve));
  await devtools.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      recordMode: 'recordUntilFull',
      traceBufferSizeInKb: ROOM_KB,
      includedCategories: ['toplevel', 'disabled-by-default-devtools.timeline'],
      excludedCategories: ['*'],
    },
  });
  const begin = performance.now();
  await act();
  const tookMs = performance.now() - begin;
  await devtools.send('Tracing.end');
  const { dataLossOccurred } = await done;
  await devtools.detach();
  if (dataLossOccurred) throw new Error('the trace did not fit');
  return tasks(events, page.url(), tookMs);
}

const isTask = ({ ph, name }) => ph === 'X' && name === 'ThreadControllerImpl::RunTask';
const isMetadata = ({ name }) => name === 'thread_name' || name === 'TracingStartedInBrowser';

function tasks(events, url, tookMs) {
  const main = mainThread(events, url);
  const seen = events.filter((event) => isTask(event) && event.pid === main.pid && event.tid === main.tid);
  if (seen.length === 0) throw new Error('the trace has no task of the main thread');
  const spanMs =
    (seen.reduce((last, { ts }) => Math.max(last, ts), 0) -
      seen.reduce((first, { ts }) => Math.min(first, ts), Infinity)) /
    1000;
  if (spanMs < tookMs * 0.9) throw new Error(`the trace covers ${spanMs} of ${tookMs} ms`);
  // What took no measurable CPU has no time in the trace; anything longer must have one.
  if (seen.some(({ dur, tdur }) => dur > 1000 && tdur === undefined)) throw new Error('the trace has no CPU times');
  const longest = seen.reduce((most, event) => ((event.tdur ?? 0) > (most.tdur ?? 0) ? event : most));
  return {
    count: seen.length,
    totalMs: seen.reduce((sum, { tdur }) => sum + (tdur ?? 0), 0) / 1000,
    longestMs: longest.tdur / 1000,
    longestName: `${longest.args?.src_file}: ${longest.args?.src_func}`,
  };
}

/** The thread that draws the page with this address. */
function mainThread(events, url) {
  const site = (address) => address.split('#')[0];
  const started = events.filter(({ name }) => name === 'TracingStartedInBrowser');
  const frame = started.flatMap(({ args }) => args.data.frames ?? []).find((one) => site(one.url) === site(url));
  const named = events.find(
    ({ name, args, pid }) => name === 'thread_name' && args.name === 'CrRendererMain' && pid === frame?.processId,
  );
  if (!named) throw new Error('the trace does not say which thread draws the page');
  return named;
}
