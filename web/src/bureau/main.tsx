/** The bureau's page at the registry: figures of the exchange, members, and how the registry is. Never a patient. */

import { mount } from '../shared/page';
import { SignedInOnly } from '../shared/session';
import { Shell } from './shell';
import { T } from './texts';
import './bureau.css';

mount('dense', (
  <SignedInOnly title={T.title} roles={['bureau', 'operator']}>
    <Shell />
  </SignedInOnly>
));
