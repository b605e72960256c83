import { describe, expect, it } from 'vitest';
import { T } from './texts';
import { bytes, sentence, text } from './webauthn';

describe('bytes of passkeys', () => {
  it('are written in base64url without padding, and read back', () => {
    for (const [plain, written] of [[[], ''], [[0xfb, 0xff], '-_8'], [[1, 2, 3, 4], 'AQIDBA']] as [number[], string][]) {
      expect(text(new Uint8Array(plain).buffer)).toBe(written);
      expect([...bytes(written)]).toEqual(plain);
    }
  });
});

describe('what a browser refuses', () => {
  it('is one sentence for each cause', () => {
    expect(sentence('NotAllowedError')).toBe(T.passkey.cancelled);
    expect(sentence('AbortError')).toBe(T.passkey.cancelled);
    expect(sentence('InvalidStateError')).toBe(T.passkey.known);
    expect(sentence('SecurityError')).toBe(T.passkey.address);
  });
});
