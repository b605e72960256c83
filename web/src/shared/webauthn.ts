/**
 * Making a passkey and signing with one, as the browser does it (WebAuthn Level 3); bytes are base64url in JSON.
 *
 * Not here: what is signed, and what a signature proves, which the service and every hospital check again.
 */

import { Failure } from '../api/client';
import type { Assertion, EnrolmentOptions, MadePasskey } from '../api/types';
import { T } from './texts';

/** The algorithms that count (C-15): ES256, EdDSA, RS256. */
const ALGORITHMS = [-7, -8, -257];

export const hasPasskeys = () => typeof window.PublicKeyCredential === 'function';

/** Makes a passkey on this device, for the desk's challenge. */
export async function makePasskey(options: EnrolmentOptions): Promise<Omit<MadePasskey, 'code'>> {
  const { challenge, rpId, hospital, user, name, known } = options;
  const publicKey: PublicKeyCredentialCreationOptions = {
    challenge: bytes(challenge),
    rp: { id: rpId, name: hospital },
    user: { id: bytes(user), name, displayName: name },
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
    excludeCredentials: known.map(descriptor),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    attestation: 'none',
  };
  const made = await asked(() => navigator.credentials.create({ publicKey })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return { clientDataJson: text(response.clientDataJSON), authenticatorData: text(response.getAuthenticatorData()) };
}

/** Signs a challenge with one of these passkeys, or with any of the domain's. */
export async function signWith(challenge: string, rpId: string, credentials: string[] = []): Promise<Assertion> {
  const publicKey: PublicKeyCredentialRequestOptions = {
    challenge: bytes(challenge), rpId, allowCredentials: credentials.map(descriptor), userVerification: 'required',
  };
  const signed = await asked(() => navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  const response = signed.response as AuthenticatorAssertionResponse;
  return {
    credentialId: text(signed.rawId), authenticatorData: text(response.authenticatorData),
    clientDataJson: text(response.clientDataJSON), signature: text(response.signature),
  };
}

const descriptor = (id: string): PublicKeyCredentialDescriptor => ({ type: 'public-key', id: bytes(id) });

/** What the browser refuses, as a sentence. Whether somebody cancelled or nothing fitted is not told apart by browsers. */
async function asked<C>(ask: () => Promise<C | null>): Promise<C> {
  if (!hasPasskeys()) throw new Failure(T.passkey.unsupported, 0, null, null);
  try {
    const answer = await ask();
    if (answer !== null) return answer;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    throw new Failure(sentence(name), 0, null, null);
  }
  throw new Failure(T.passkey.cancelled, 0, null, null);
}

export function sentence(name: string): string {
  if (name === 'InvalidStateError') return T.passkey.known;
  if (name === 'NotSupportedError' || name === 'ConstraintError') return T.passkey.unsuited;
  if (name === 'SecurityError') return T.passkey.address;
  return T.passkey.cancelled;
}

export function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const plain = atob(base64url.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

export function text(buffer: ArrayBuffer): string {
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(plain).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
