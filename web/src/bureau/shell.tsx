/** The frame around the views. */

import { LogoutOutlined } from '@ant-design/icons';
import { Button, Layout, Menu } from 'antd';
import { useEffect, useRef } from 'react';
import { to, useRoute } from '../shared/route';
import { useSession } from '../shared/session';
import { T as S } from '../shared/texts';
import { Members } from './members';
import { Quality } from './quality';
import { Status } from './status';
import { T } from './texts';
import { Volume } from './volume';

const VIEWS = { volume: Volume, members: Members, quality: Quality, status: Status };
type Key = keyof typeof VIEWS;
const KEYS = Object.keys(VIEWS) as Key[];

export function Shell() {
  const { session, signOut } = useSession();
  const { path: [at] } = useRoute();
  const key = KEYS.find((one) => one === at) ?? 'volume';
  const View = VIEWS[key];
  const main = useRef<HTMLElement>(null);
  useEffect(() => main.current?.focus({ preventScroll: true }), [key]);
  return (
    <Layout className="shell">
      <Layout.Header className="top">
        <span className="brand">{S.product}</span><strong>{T.title}</strong><span className="quiet region">{session.member.name}</span>
        <nav aria-label={T.nav.menu}>
          <Menu mode="horizontal" disabledOverflow selectedKeys={[key]} items={KEYS.map((one) => ({ key: one, label: <a href={to([one])}>{T.nav[one]}</a> }))} />
        </nav>
        <span className="push" />
        <span>{session.displayName}</span>
        <Button type="text" icon={<LogoutOutlined aria-hidden />} onClick={signOut}>{S.signIn.out}</Button>
      </Layout.Header>
      <main ref={main} tabIndex={-1} className="content view"><View /></main>
    </Layout>
  );
}
