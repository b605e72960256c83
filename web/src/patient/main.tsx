/** The patients' page: who may see my record, who has seen it, and what I can do about it. Made for a phone. */

import { mount } from '../shared/page';
import { SignedInOnly } from '../shared/session';
import { Shell } from './shell';
import { T } from './texts';
import './patient.css';

mount('large', (
  <SignedInOnly title={T.title} roles={['patient']}>
    <Shell />
  </SignedInOnly>
));
