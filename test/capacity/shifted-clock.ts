// Loaded before a process of ours: its clock goes wrong by so much. Timers and what Temporal counts are not concerned.
const shiftMs = Number(process.env['CAPACITY_CLOCK_SHIFT_MS'] ?? '0');

const RealDate = Date;

type Moment = string | number | Date;

const shifted = new Proxy(RealDate, {
  construct: (target, given: readonly Moment[]) =>
    given.length === 0 ? new target(target.now() + shiftMs) : (Reflect.construct(target, given) as Date),
  apply: (target) => new target(target.now() + shiftMs).toString(),
  get: (target, name, receiver): unknown =>
    name === 'now' ? () => target.now() + shiftMs : Reflect.get(target, name, receiver),
});

globalThis.Date = shifted;
