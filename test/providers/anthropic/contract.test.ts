import { createAnthropic } from '../../../src/providers/anthropic';
import { describeProvider } from '../../support/describe-provider';

describeProvider('Anthropic text', {
  create: createAnthropic,
  model: 'anthropic/claude-haiku-5-5',
  basePath: '/anthropic',
  synchronous: true,
  notAccepted: [503],
  magic: /./s,
});
