/** The frame around every view, and which view belongs to which route. */

import { AlertOutlined, ApiOutlined, AuditOutlined, CheckSquareOutlined, InboxOutlined, LockOutlined, LogoutOutlined, SearchOutlined, SendOutlined, TeamOutlined, TranslationOutlined, UserSwitchOutlined } from '@ant-design/icons';
import { Button, Layout, Menu } from 'antd';
import { useEffect, useRef } from 'react';
import { to, useRoute, type Route } from '../shared/route';
import { useSession } from '../shared/session';
import { nameOf } from '../shared/format';
import { T as S } from '../shared/texts';
import { Audit } from './audit';
import { Connections } from './connections';
import { ConsentRecording } from './consent-recording';
import { Dictionary } from './dictionary';
import { Emergencies } from './emergencies';
import { FindPatient } from './find';
import { Identity } from './identity';
import { PatientView } from './patient';
import { Patients } from './patients';
import { Quality } from './quality';
import { ReferralEditor } from './referral-editor';
import { ReferralView } from './referral';
import { Referrals } from './referrals';
import { AwayBanner, ContradictedBanner, OmittedBanner, QuotaBanner, WithRegion } from './region';
import { Seals } from './seals';
import { T } from './texts';

/** Where somebody begins: who has no patients of their own begins with the work that waits. */
type Home = 'patients' | 'inbox' | 'emergencies' | 'find' | 'connections';

/** Who has to do with patients. */
const CARE = ['doctor', 'head', 'nurse', 'referral-office', 'desk'];

export function Shell() {
  const route = useRoute();
  const { has } = useSession();
  const home: Home = has('doctor', 'head', 'nurse') ? 'patients' : has('referral-office') ? 'inbox' : has('medical-affairs') ? 'emergencies' : has('desk') ? 'find' : 'connections';
  return (
    <Layout className="shell">
      <TopBar />
      <WithRegion>
        <Layout>
          <Navigation at={sectionOf(route, home)} />
          <div className="content">
            <ContradictedBanner />
            <OmittedBanner />
            <QuotaBanner />
            <AwayBanner />
            <Main route={route} home={home} />
          </div>
        </Layout>
      </WithRegion>
    </Layout>
  );
}

function TopBar() {
  const { session, signOut } = useSession();
  const role = session.roles.map((one) => nameOf(S.personRole, one)).join('、');
  return (
    <Layout.Header className="top">
      <a className="skip" href="#main" onClick={focusMain}>{S.skip}</a>
      <span className="brand">{S.product}</span>
      <strong className="member">{session.member.name}</strong>
      <span className="zone">{S.zone}</span>
      <span className="who">{session.displayName}<small>{role}</small></span>
      <Button type="text" icon={<LogoutOutlined aria-hidden />} onClick={signOut}>{S.signIn.out}</Button>
    </Layout.Header>
  );
}

function Navigation({ at }: { at: string }) {
  const { has } = useSession();
  const items = [
    ...(has('medical-affairs')
      ? [{ key: 'emergencies', icon: <AlertOutlined aria-hidden />, label: <a href={to(['emergencies'])}>{T.nav.emergencies}</a> }, { key: 'seals', icon: <LockOutlined aria-hidden />, label: <a href={to(['seals'])}>{T.nav.seals}</a> }]
      : has(...CARE) ? [{ key: 'mine', icon: <TeamOutlined aria-hidden />, label: <a href={to(['patients'])}>{T.nav.mine}</a> }] : []),
    ...(has('medical-affairs', ...CARE) ? [{ key: 'find', icon: <SearchOutlined aria-hidden />, label: <a href={to(['find'])}>{T.nav.find}</a> }] : []),
    ...(has('it') ? [{ key: 'connections', icon: <ApiOutlined aria-hidden />, label: <a href={to(['connections'])}>{T.nav.connections}</a> }, { key: 'quality', icon: <CheckSquareOutlined aria-hidden />, label: <a href={to(['quality'])}>{T.nav.quality}</a> }] : []),
    ...(has('desk') ? [{ key: 'identity', icon: <UserSwitchOutlined aria-hidden />, label: <a href={to(['identity'])}>{T.nav.identity}</a> }] : []),
    ...(has('it') ? [{ key: 'dictionary', icon: <TranslationOutlined aria-hidden />, label: <a href={to(['dictionary'])}>{T.nav.dictionary}</a> }] : []),
    ...(has('medical-affairs', 'it') ? [{ key: 'audit', icon: <AuditOutlined aria-hidden />, label: <a href={to(['audit'])}>{T.nav.audit}</a> }] : []),
    ...(has('doctor', 'head', 'nurse', 'referral-office') ? [
      { key: 'inbox', icon: <InboxOutlined aria-hidden />, label: <a href={to(['inbox'])}>{T.nav.inbox}</a> },
      { key: 'sent', icon: <SendOutlined aria-hidden />, label: <a href={to(['sent'])}>{T.nav.sent}</a> },
    ] : []),
  ];
  return (
    <Layout.Sider className="side" width={168} breakpoint="lg" collapsedWidth={56}>
      <nav aria-label={T.nav.menu}><Menu mode="inline" selectedKeys={[at]} items={items} /></nav>
    </Layout.Sider>
  );
}

/** The view of a route. A new view gets the focus, so that a screen reader and the keyboard start there. */
function Main({ route, home }: { route: Route; home: Home }) {
  const main = useRef<HTMLElement>(null);
  const place = route.path.slice(0, 2).join('/');
  useEffect(() => main.current?.focus({ preventScroll: true }), [place]);
  return <main ref={main} id="main" tabIndex={-1}>{view(route.path.length === 0 ? { ...route, path: [home] } : route)}</main>;
}

function view({ path: [section, one, two, ...rest], query }: Route) {
  if (section === 'patients' && one !== undefined) {
    if (two === 'consent') return <ConsentRecording subject={one} organisation={query.get('to')} referral={query.get('referral')} />;
    if (two === 'refer') return <ReferralEditor key={one} subject={one} draft={query.get('draft')} />;
    return <PatientView key={one} subject={one} tab={two ?? 'record'} chosen={rest} />;
  }
  if (section === 'find') return <FindPatient />;
  if (section === 'identity') return <Identity />;
  if (section === 'emergencies') return <Emergencies />;
  if (section === 'seals') return <Seals />;
  if (section === 'dictionary') return <Dictionary />;
  if (section === 'audit') return <Audit />;
  if (section === 'connections') return <Connections />;
  if (section === 'quality') return <Quality />;
  if (section === 'inbox' || section === 'sent') return <Referrals key={section} box={section} />;
  if (section === 'referrals' && one !== undefined && two !== undefined) return <ReferralView member={one} id={two} chosen={rest} />;
  return <Patients />;
}

function sectionOf({ path: [section] }: Route, home: Home): string {
  const at = section ?? home;
  return at === 'patients' ? 'mine' : at === 'referrals' ? '' : at;
}

function focusMain(event: React.MouseEvent) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
