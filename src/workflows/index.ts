export { attempt } from './attempt';
export { generate } from './generate';
export { health } from './health';
export { probe } from './probe';
export { reconcile } from './reconcile';
export { watch } from './watch';
