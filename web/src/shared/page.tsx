/** The root of every entry: theme, language, and a guard against faults of ours. */

import { App, ConfigProvider, type ThemeConfig } from 'antd';
import zhCN from 'antd/locale/zh_CN';
import dayjs from 'dayjs';
import 'dayjs/locale/zh-cn';
import { StrictMode, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { Guard } from './states';
import './page.css';

dayjs.locale('zh-cn');

const FONT = '-apple-system, BlinkMacSystemFont, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif';

/** `dense` where people work all day, `large` where they read on a phone. */
export type Scale = 'dense' | 'large';

function theme(scale: Scale): ThemeConfig {
  const large = scale === 'large';
  return {
    token: {
      colorPrimary: '#0b6b72', colorInfo: '#0b6b72', colorLink: '#0b6b72', colorError: '#b3261e', colorWarning: '#a65f00', colorSuccess: '#23703a',
      // The paler shades, which the library would derive too dull from so dark a teal.
      colorPrimaryBg: '#e2f0f0', colorPrimaryBgHover: '#d2e7e8', colorPrimaryBorder: '#9fcdd0', colorInfoBg: '#eaf4f5', colorInfoBorder: '#bfdcde',
      colorSuccessBg: '#e9f4ec', colorSuccessBorder: '#b4d8be', colorWarningBg: '#fdf5e4', colorWarningBorder: '#ecd19c', colorErrorBg: '#fdf1f0', colorErrorBorder: '#ecbcb8',
      borderRadius: large ? 12 : 6, fontFamily: FONT, fontSize: large ? 18 : 14, controlHeight: large ? 48 : 32,
      colorTextPlaceholder: '#6b777b', colorTextSecondary: '#4d5a5e', colorTextTertiary: '#5f6c70', colorTextDescription: '#5a676b', colorBgLayout: '#f3f6f6', motionDurationMid: '0.12s', motionDurationSlow: '0.16s',
    },
    components: {
      Table: { cellPaddingBlockSM: 6, headerBg: '#eef3f3' },
      Layout: { headerBg: '#ffffff', siderBg: '#ffffff', bodyBg: '#f3f6f6' },
    },
  };
}

export function mount(scale: Scale, page: ReactNode): void {
  const root = document.getElementById('root');
  if (root === null) throw new Error('the page has no #root');
  document.documentElement.dataset.scale = scale;
  createRoot(root).render(
    <StrictMode>
      <ConfigProvider locale={zhCN} theme={theme(scale)} button={{ autoInsertSpace: false }}>
        <App><Guard>{page}</Guard></App>
      </ConfigProvider>
    </StrictMode>,
  );
}
