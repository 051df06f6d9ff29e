import { drawTurn, peekTurn } from '../../src/stores/round-robin';
import { openLedger, type Ledger } from './ledger';

let ledger: Ledger;

beforeAll(async () => {
  ledger = await openLedger();
});

afterAll(() => ledger.close());

test('what is looked at is what the next one draws, and stays so until then', async () => {
  for (let index = 0; index < 3; index += 1) {
    const next = await peekTurn(ledger.database);
    expect(await peekTurn(ledger.database)).toBe(next);
    expect(await drawTurn(ledger.database)).toBe(next);
  }
});

test('nobody draws the number of another', async () => {
  const turns = await Promise.all(Array.from({ length: 40 }, () => drawTurn(ledger.database)));
  const [least] = turns.sort((left, right) => left - right) as [number];
  expect(turns).toEqual(turns.map((_turn, index) => least + index));
});
