import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';

/** Set once the request's headers were written: from then on nobody knows what the provider has seen. */
export type Sending = { sent: boolean; onSent?: (() => void) | undefined };

// undici announces a request when it is dispatched and again when its headers are written. The store ties the first
// to whoever dispatched it, the map carries it to the second, so concurrent requests are not confused.
const dispatching = new AsyncLocalStorage<Sending>();
const sendings = new WeakMap<object, Sending>();

subscribe('undici:request:create', (message) => {
  const sending = dispatching.getStore();
  if (sending !== undefined) sendings.set((message as { request: object }).request, sending);
});

subscribe('undici:client:sendHeaders', (message) => {
  const sending = sendings.get((message as { request: object }).request);
  if (sending === undefined) return;
  sending.sent = true;
  sending.onSent?.();
});

/** Watches the request that `dispatch` makes, on a connection of its own or a kept one. */
export const watchSending = <Result>(sending: Sending, dispatch: () => Result): Result =>
  dispatching.run(sending, dispatch);
