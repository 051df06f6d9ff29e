import { describeFile, downloadFile, showFile } from './google/files';
import { countContent, describeContent, generateContent, streamContent } from './google/generate-content';
import {
  cancelInteraction,
  createInteraction,
  deleteInteraction,
  describeInteraction,
  describeOwnInteraction,
  retrieveInteraction,
} from './google/interactions';
import { listModels, retrieveModel } from './google/models';
import { words } from './google/problems';
import { announcer, showKeys } from './google/webhook';
import { describeVeo, describeVeoOperation, listVeo, pollVeo, submitVeo } from './google/veo';
import type { EmulatedProvider, Route } from './provider';

/** Under both API versions. */
const common: Route[] = [
  {
    method: 'post',
    path: '/models/:model\\:generateContent',
    kind: 'submit',
    describe: describeContent,
    handle: generateContent,
  },
  {
    method: 'post',
    path: '/models/:model\\:streamGenerateContent',
    kind: 'submit',
    describe: describeContent,
    handle: streamContent,
  },
  { method: 'post', path: '/models/:model\\:countTokens', kind: 'other', handle: countContent },
  { method: 'get', path: '/models', kind: 'other', handle: listModels },
  { method: 'get', path: '/models/:model', kind: 'other', handle: retrieveModel },
  {
    method: 'post',
    path: '/interactions',
    kind: 'submit',
    describe: describeInteraction,
    handle: createInteraction,
  },
  {
    method: 'get',
    path: '/interactions/:id',
    kind: 'poll',
    describe: describeOwnInteraction,
    handle: retrieveInteraction,
  },
  {
    method: 'post',
    path: '/interactions/:id/cancel',
    kind: 'cancel',
    describe: describeOwnInteraction,
    handle: cancelInteraction,
  },
  {
    method: 'delete',
    path: '/interactions/:id',
    kind: 'other',
    describe: describeOwnInteraction,
    handle: deleteInteraction,
  },
];

/** Long-running operations have no cancel route. */
const beta: Route[] = [
  {
    method: 'post',
    path: '/models/:model\\:predictLongRunning',
    kind: 'submit',
    describe: describeVeo,
    handle: submitVeo,
  },
  { method: 'get', path: '/models/:model/operations', kind: 'other', handle: listVeo },
  {
    method: 'get',
    path: '/models/:model/operations/:operation',
    kind: 'poll',
    describe: describeVeoOperation,
    handle: pollVeo,
  },
  { method: 'get', path: '/files/:file\\:download', kind: 'artifact', describe: describeFile, handle: downloadFile },
  { method: 'get', path: '/files/:file', kind: 'other', describe: describeFile, handle: showFile },
];

const under = (version: string, routes: Route[]): Route[] =>
  routes.map((route) => ({ ...route, path: `/${version}${route.path}` }));

export const google: EmulatedProvider = {
  id: 'google',
  prefix: '/google',
  overLimit: 'refuse',
  readKey: (headers, query) => {
    const key = headers['x-goog-api-key'] ?? query.get('key') ?? undefined;
    return Array.isArray(key) ? key[0] : key;
  },
  routes: [
    { method: 'get', path: '/.well-known/jwks.json', kind: 'other', isOpen: true, handle: showKeys },
    ...under('v1beta', beta),
    ...under('v1beta', common),
    ...under('v1', common),
  ],
  announcer,
  ...words,
  signature: () => ({ 'server-timing': 'gfet4t7; dur=12', vary: 'Origin, X-Origin, Referer' }),
};
