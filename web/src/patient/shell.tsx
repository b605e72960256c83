/** The views, and the bar at the bottom that leads to them. */

import { EyeOutlined, KeyOutlined, QuestionCircleOutlined, SafetyCertificateOutlined } from '@ant-design/icons';
import { Alert, Button } from 'antd';
import { useEffect, useRef } from 'react';
import { region as call } from '../api/calls';
import type { Region } from '../api/types';
import { useLoad } from '../shared/load';
import { to, useRoute } from '../shared/route';
import { useSession } from '../shared/session';
import { Shown } from '../shared/states';
import { T as S } from '../shared/texts';
import { Access } from './access';
import { Consents } from './consents';
import { Help } from './help';
import { Passkeys } from './passkeys';
import { T } from './texts';

const TABS = [
  { key: 'consents', icon: <SafetyCertificateOutlined aria-hidden />, view: (region: Region) => <Consents region={region} /> },
  { key: 'access', icon: <EyeOutlined aria-hidden />, view: (region: Region) => <Access region={region} /> },
  { key: 'passkeys', icon: <KeyOutlined aria-hidden />, view: () => <Passkeys /> },
  { key: 'help', icon: <QuestionCircleOutlined aria-hidden />, view: (region: Region) => <Help region={region} /> },
] as const;

export function Shell() {
  const { session, has, signOut } = useSession();
  const { path: [at] } = useRoute();
  const region = useLoad('region', call);
  const tab = TABS.find(({ key }) => key === at) ?? TABS[0];
  const main = useRef<HTMLElement>(null);
  useEffect(() => { window.scrollTo(0, 0); main.current?.focus({ preventScroll: true }); }, [tab]);
  return (
    <div className="phone">
      <header className="bar">
        <span><span className="brand">{S.product}</span>{has('guardian') ? T.helloGuardian(session.displayName) : T.hello(session.displayName)}</span>
        <Button type="text" size="small" onClick={signOut}>{S.signIn.out}</Button>
      </header>
      <main ref={main} tabIndex={-1}>
        <Shown of={region}>
          {(known) => <>{!known.registry.connected && <Alert className="failed" type="warning" showIcon title={T.away} />}{known.registry.contradictedAt !== null && <Alert className="failed" type="error" showIcon title={S.contradicted.title} />}{known.registry.omittedAt !== null && <Alert className="failed" type="error" showIcon title={S.omitted.title} />}{tab.view(known)}</>}
        </Shown>
      </main>
      <nav className="tabs">
        {TABS.map(({ key, icon }) => <a key={key} href={to([key])} aria-current={key === tab.key ? 'page' : undefined}>{icon}<span>{T.tabs[key]}</span></a>)}
      </nav>
    </div>
  );
}
