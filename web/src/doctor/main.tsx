/** The doctors' page: doctors, heads of departments, nurses, referral offices, desks, the office of medical affairs and the IT of one hospital. */

import { mount } from '../shared/page';
import { SignedInOnly } from '../shared/session';
import { Shell } from './shell';
import { T } from './texts';
import './doctor.css';

mount('dense', (
  <SignedInOnly title={T.title} roles={['doctor', 'head', 'nurse', 'referral-office', 'desk', 'medical-affairs', 'it']}>
    <Shell />
  </SignedInOnly>
));
