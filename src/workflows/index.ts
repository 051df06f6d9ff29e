export { attempt } from './attempt';
export { generate } from './generate';
export { reconcile } from './reconcile';
export { watch } from './watch';
