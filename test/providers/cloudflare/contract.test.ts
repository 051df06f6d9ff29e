import { createCloudflare } from '../../../src/providers/cloudflare';
import type { Call, Provider } from '../../../src/providers/provider';
import type { Transport } from '../../../src/providers/transport';
import { describeProvider } from '../../support/describe-provider';

const ofAccount = (call: Call): Call => ({ ...call, credential: { ...call.credential, accountId: 'emulator' } });

/** The bench's key belongs to no account. */
const create = (transport: Transport): Provider => {
  const provider = createCloudflare(transport);
  return { ...provider, submit: (model, input, call) => provider.submit(model, input, ofAccount(call)) };
};

const cloudflare = {
  create,
  basePath: '/cloudflare/client/v4',
  synchronous: true,
  notAccepted: [503],
  // The emulated 429 is 3040, out of capacity, and its 403 an account that may not use the model.
  codes: { 403: 'provider_auth', 429: 'provider_overloaded' },
} as const;

/** No filter stands in front of open models: whoever will not answer says so in the text. */
const outspoken = { ...cloudflare, unfiltered: true, refusesInWords: true };

describeProvider('Workers AI text', { ...outspoken, model: 'cloudflare/llama-3.1-8b-instruct-fp8-fast', magic: /./s });

describeProvider('Workers AI image in JSON', {
  ...cloudflare,
  model: 'cloudflare/flux-1-schnell',
  magic: /^(\xff\xd8\xff|.PNG|RIFF)/s,
});

describeProvider('Workers AI image as the body', {
  ...cloudflare,
  model: 'cloudflare/stable-diffusion-xl-base-1.0',
  input: { size: '512x512' },
  magic: /^(\xff\xd8\xff|.PNG|RIFF)/s,
});

describeProvider('Workers AI image from a form', {
  ...cloudflare,
  model: 'cloudflare/flux-2-klein-4b',
  input: { size: '512x512' },
  magic: /^(\xff\xd8\xff|.PNG|RIFF)/s,
});
