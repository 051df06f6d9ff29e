import { createGroq } from '../../../src/providers/groq';
import { describeProvider } from '../../support/describe-provider';

const groq = { create: createGroq, basePath: '/groq', synchronous: true, notAccepted: [503] } as const;

/** No filter stands in front of open models: whoever will not answer says so in the text. */
const outspoken = { ...groq, unfiltered: true, refusesInWords: true };

describeProvider('Groq text', { ...outspoken, model: 'groq/gpt-oss-20b', magic: /./s });

describeProvider('Groq speech', { ...groq, model: 'groq/orpheus-v1-english', magic: /^RIFF/ });
