export { attempt } from './attempt';
export { generate } from './generate';
export { probe } from './probe';
export { reconcile } from './reconcile';
export { watch } from './watch';
