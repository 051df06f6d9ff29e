import type { Response } from 'express';
import { pipeline } from 'node:stream/promises';
import { wholeBody, writeHead, type Answer } from './answer';
import { deliveryOf, type Fault } from './faults';
import { pause, type World } from './world';

type Delivery = {
  world: World;
  response: Response;
  answer: Answer;
};

const sendParts = async ({ world, response, answer }: Delivery): Promise<void> => {
  if (!Array.isArray(answer.parts)) {
    writeHead(response, answer, undefined);
    // The client hangs up in the middle of an endless body: that is what it is for.
    return pipeline(answer.parts, response).catch(() => undefined);
  }
  writeHead(response, answer, answer.parts.length > 1 ? undefined : wholeBody(answer).length);
  for (const [index, part] of answer.parts.entries()) {
    if (index > 0) await pause(world, answer.paceMs ?? 0);
    response.write(part);
  }
  response.end();
};

const sendHead = ({ response, answer }: Delivery): void => {
  writeHead(response, answer, wholeBody(answer).length);
};

/** Half of the body, and an end which a client can notice. */
const sendHalf = (delivery: Delivery): Promise<void> => {
  const body = wholeBody(delivery.answer);
  sendHead(delivery);
  return new Promise((resolve) =>
    delivery.response.write(body.subarray(0, Math.ceil(body.length / 2)), () => {
      delivery.response.destroy();
      resolve();
    }),
  );
};

const sendHalfAndStall = (delivery: Delivery): void => {
  const body = wholeBody(delivery.answer);
  sendHead(delivery);
  delivery.response.write(body.subarray(0, Math.floor(body.length / 2)));
};

const sendInstead = (delivery: Delivery, text: string): Promise<void> =>
  sendParts({ ...delivery, answer: { ...delivery.answer, parts: [text] } });

const sendWrongLength = (delivery: Delivery): Promise<void> => {
  delivery.response.setHeader('connection', 'close');
  const lie = { ...delivery.answer, declaredBytes: delivery.answer.declaredBytes ?? 0 };
  writeHead(delivery.response, lie, undefined);
  return new Promise((resolve) =>
    delivery.response.write(wholeBody(lie), () => {
      delivery.response.destroy();
      resolve();
    }),
  );
};

/** HEAD, 204 and 304 have no body that could go wrong. */
const isBodyless = (delivery: Delivery): boolean =>
  delivery.response.req.method === 'HEAD' || [204, 304].includes(delivery.answer.status);

/** Sends the answer in the way the fault asks for. The status that reached the client, or null. */
export const deliver = async (delivery: Delivery, fault: Fault | undefined): Promise<number | null> => {
  const { response, answer } = delivery;
  const way = deliveryOf(fault);
  if (way === 'stall_headers') return null;
  if (way === 'drop') {
    response.destroy();
    return null;
  }
  if (isBodyless(delivery)) {
    writeHead(response, answer, Array.isArray(answer.parts) ? wholeBody(answer).length : undefined);
    response.end();
  } else if (way === 'truncate') await sendHalf(delivery);
  else if (way === 'stall_body') sendHalfAndStall(delivery);
  else if (way === 'garble') await sendInstead(delivery, `${wholeBody(answer).toString().slice(0, -1)},,`);
  else if (way === 'empty') await sendInstead(delivery, '{}');
  else if (answer.declaredBytes !== undefined) await sendWrongLength(delivery);
  else await sendParts(delivery);
  return answer.status;
};
