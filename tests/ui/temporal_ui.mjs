// An operator in Temporal's UI, in a real browser: logs in to Berth (SUBJECT; without it he does
// not), tells the UI where payloads are opened (API), and reads what a workflow (WORKFLOW) was given
// until it holds a text (WANTED). Prints one line of JSON: the status of the codec's first answer,
// and the text of the page.
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import sparticuz from '@sparticuz/chromium';
import { chromium } from 'playwright-core';

const { API: api, WORKFLOW: workflow, SUBJECT: subject, WANTED: wanted } = process.env;
const step = 30_000;

// Unpacked beside its package, where only this clone's owner writes.
const [cache, outer] = [new URL('node_modules/.cache', import.meta.url).pathname, tmpdir()];
mkdirSync(cache, { recursive: true });
process.env.TMPDIR = cache;
const executablePath = await sparticuz.executablePath();
process.env.TMPDIR = outer;

const browser = await chromium.launch({
  executablePath,
  args: [
    '--headless=shell', '--no-sandbox', '--disable-gpu', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic',
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(step);
  if (subject) {
    await page.goto(`${api}/auth/login`);
    await page.fill('input[name=login]', subject);
    await page.fill('input[name=password]', 'x');
    await page.click('button[type=submit]');
    await page.getByText('Continue').waitFor();
    await page.click('button[type=submit]');
    await page.waitForURL(`${api}/api/v1/me`);
  }
  await page.goto(workflow);
  await page.click('[data-testid=data-encoder-status]');
  await page.getByText('Use my browser setting').click();
  await page.locator('#data-encoder-endpoint-input').fill(`${api}/internal/codec`);
  await page.locator('label', { hasText: 'Include cross-origin credentials' }).click();
  await page.locator('[data-testid=confirm-modal-button]:visible').click();
  const answered = page.waitForResponse(
    (answer) => answer.url().includes('/internal/codec/decode') && answer.request().method() === 'POST',
  );
  await page.reload();
  const status = (await answered).status();
  if (status === 200) {
    await page.waitForFunction((text) => document.body.innerText.includes(text), wanted);
  }
  console.log(JSON.stringify({ status, text: await page.locator('body').innerText() }));
} finally {
  await browser.close();
}
