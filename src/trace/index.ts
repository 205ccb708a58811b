/** `trace`: packets in, what happens to each, rule by rule, computed twice. */
export { type DecodedPackets, decodePackets, type PacketProblem } from './decode-packet.ts';
export { type EncodedAnswer, type EncodedStep, encodeAnswer } from './encode-answer.ts';
export { type DecodedPacket, decodePacketObject, PACKET_KEYS } from './packet-object.ts';
export {
  answerTwice,
  type TraceAnswer,
  TraceDisagreement,
  type TraceOptions,
  TraceTooLarge,
  type TwoAnswers,
  traceHost,
} from './trace-host.ts';
