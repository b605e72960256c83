/** The patients' page: who may see my record, who has seen it, and what I can do about it. Made for a phone. */

import { useEffect, useState } from 'react';
import { mount } from '../shared/page';
import { SignedInOnly } from '../shared/session';
import { Enrol, enrolAddress, takeCode } from './enrol';
import { Shell } from './shell';
import { T } from './texts';
import './patient.css';

const scanned = takeCode();

/** With a code in the address a passkey is enrolled; everything else is for who is signed in. */
function Entry() {
  const [code, setCode] = useState(scanned);
  useEffect(() => {
    const look = () => { const found = takeCode(); if (found !== null) setCode(found); };
    window.addEventListener('hashchange', look);
    return () => window.removeEventListener('hashchange', look);
  }, []);
  if (code !== null) return <Enrol code={code} done={() => setCode(null)} />;
  return (
    <SignedInOnly title={T.title} roles={['patient']} byPasskey also={<a href={enrolAddress}>{T.passkeys.enrol}</a>}>
      <Shell />
    </SignedInOnly>
  );
}

mount('large', <Entry />);
