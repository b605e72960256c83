/** The bureau at the registry: figures of what has happened, members, and the state of the platform. Never a patient. */

import assert from 'node:assert/strict';

export async function bureau(stage) {
  const { registry } = stage.region;
  const hospital = stage.region.hospital('C');
  const analyst = await stage.open(registry.url);
  await stage.station('bureau-volume', analyst, async () => {
    assert.equal(await analyst.page.title(), '医桥 · 交换监管');
    await analyst.signIn(registry.accounts[0]);
    await analyst.seesHeading('交换量');
    await analyst.sees(analyst.page.getByRole('img', { name: /柱状图/ }));
    assert.equal(await analyst.page.getByText(stage.region.patient('referred').name).count(), 0, 'no patient at the registry');
  });
  await stage.station('bureau-openings', analyst, async () => {
    for (const act of ['检索', '撤回授权', '打开病历']) {
      await analyst.choose('全部事项', act);
      await analyst.sees(analyst.page.getByRole('cell', { name: act, exact: true }).first());
    }
  });
  await stage.station('bureau-refusals', analyst, async () => {
    await analyst.choose('全部事项', '对外提供');
    await analyst.sees(analyst.page.locator('.denied-row').filter({ hasText: stage.region.hospital('A').name }).filter({ hasText: hospital.name }).first());
  });
  await stage.station('bureau-members', analyst, async () => {
    await analyst.follow('成员机构');
    await analyst.sees(analyst.page.getByRole('row', { name: hospital.name }).getByText('在线'));
    await analyst.sees(analyst.page.getByRole('row', { name: stage.region.hospital('B').name }).filter({ hasText: '少于 5' }));
  });
  await stage.station('bureau-quality', analyst, async () => {
    await analyst.follow('数据质量');
    await analyst.seesHeading('数据质量');
    await analyst.sees(analyst.page.getByRole('row', { name: stage.region.hospital('A').name }));
    assert.equal(await analyst.page.getByText(stage.region.patient('referred').name).count(), 0, 'no patient at the registry');
  });
  await stage.station('bureau-status', analyst, async () => {
    await analyst.follow('平台状态');
    await analyst.seesHeading('平台状态');
  });
}
