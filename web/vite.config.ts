import react from '@vitejs/plugin-react';
import { defineConfig, loadEnv } from 'vite';

export default defineConfig(({ mode }) => ({
  plugins: [react()],
  // Relative: the three pages lie side by side, wherever a member serves them.
  base: './',
  build: {
    // Computers of hospitals keep old browsers: Chrome 109 is the last one for Windows 7.
    target: ['chrome105', 'edge105', 'firefox115', 'safari15.4'],
    // Inline pictures and polyfills would need more than `script-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    rolldownOptions: { input: ['doctor.html', 'patient.html', 'bureau.html'] },
  },
  // `YIQIAO_NODE=http://localhost:8102 npm run dev` shows the pages of another node or of the registry.
  server: { proxy: { '/api': { target: loadEnv(mode, '.', 'YIQIAO_').YIQIAO_NODE ?? 'http://localhost:8101', changeOrigin: true } } },
}));
