import type { Dispatcher } from 'undici';

/**
 * undici 7 ends the whole process when the other side closes a connection whose reader is just being slow: an assertion in
 * its parser that nobody can catch (https://github.com/nodejs/undici/issues/5360, mended in 8, which wants Node 22). So a
 * slow reader does not stop the connection at once: what it has not read yet waits in memory, up to here.
 */
const waitingBytes = 64 * 1024 * 1024;

type Controller = Dispatcher.DispatchController;

/** For the reader: asks for a pause, and is heard when too much is waiting. */
const createPatient = (controller: Controller) => {
  const state = { asked: false, waiting: 0 };
  const patient: Controller = {
    get aborted() {
      return controller.aborted;
    },
    get paused() {
      return controller.paused;
    },
    get reason() {
      return controller.reason;
    },
    get rawHeaders() {
      return controller.rawHeaders ?? null;
    },
    get rawTrailers() {
      return controller.rawTrailers ?? null;
    },
    abort: (reason) => controller.abort(reason),
    pause: () => {
      state.asked = true;
    },
    resume: () => {
      state.asked = false;
      state.waiting = 0;
      controller.resume();
    },
  };
  const count = (bytes: number): void => {
    state.waiting = state.asked ? state.waiting + bytes : 0;
    if (state.waiting > waitingBytes) controller.pause();
  };
  return { patient, count };
};

/** An interceptor of undici's. */
export const unpaused: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  let own: ReturnType<typeof createPatient> | null = null;
  const use = (controller: Controller): ReturnType<typeof createPatient> => (own ??= createPatient(controller));
  return dispatch(options, {
    onRequestStart: (controller, ...rest) => handler.onRequestStart?.(use(controller).patient, ...rest),
    onRequestUpgrade: (controller, ...rest) => handler.onRequestUpgrade?.(use(controller).patient, ...rest),
    onResponseStart: (controller, ...rest) => handler.onResponseStart?.(use(controller).patient, ...rest),
    onResponseData: (controller, chunk) => {
      const { patient, count } = use(controller);
      handler.onResponseData?.(patient, chunk);
      count(chunk.length);
    },
    onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(use(controller).patient, trailers),
    onResponseError: (controller, error) => handler.onResponseError?.(use(controller).patient, error),
  });
};
