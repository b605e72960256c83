/** What C sees with consent: the referred patient's history from A and B, and a walk-in's. */

import assert from 'node:assert/strict';

export async function received(stage) {
  const { region } = stage;
  const patient = region.patient('referred');
  const doctor = await stage.staff('C', region.doctorOf('walkin', 'C').login);
  await stage.station('referred-patient-at-c', doctor, async () => {
    await doctor.follow(patient.name);
    await doctor.seesHeading(patient.name);
  });
  await stage.station('merged-history', doctor, async () => {
    await doctor.press('检索并获取外院资料');
    await doctor.sees('已向外院请求资料');
    for (const letter of ['A', 'B']) await doctor.seesAtLast(() => documents(doctor, region, letter, '已到达'));
    await doctor.seesAtLast(() => doctor.page.locator('.completeness.consented'));
    assert.equal(await doctor.page.getByText('仅本院资料').count(), 0);
  });
  await stage.station('document-of-a', doctor, () => opens(doctor, region, 'A', '出院小结', patient));
  await stage.station('document-of-b', doctor, () => opens(doctor, region, 'B', '病历摘要', patient));
  await stage.station('lab-report-of-a', doctor, () => opens(doctor, region, 'A', '血脂四项', patient));
  await stage.station('lab-trend', doctor, async () => {
    await doctor.page.getByRole('tab', { name: '检验趋势' }).click();
    await doctor.sees(doctor.page.getByRole('img', { name: /趋势图，共 \d+ 个结果/ }));
    assert.ok(await doctor.page.locator('.lab').count() > 0);
  });
  await stage.station('consents-at-c', doctor, async () => {
    await doctor.page.getByRole('tab', { name: '知情同意' }).click();
    await doctor.sees(doctor.page.getByRole('row', { name: region.hospital('C').name }).getByText('有效'));
  });
}

export async function walkIn(stage) {
  const { region } = stage;
  const patient = region.patient('walkin');
  const desk = await stage.staff('C', 'desk');
  await desk.finds(patient);
  await stage.station('walk-in-consents', desk, async () => {
    await desk.follow('登记知情同意');
    await desk.choose('接收方医院', region.hospital('C').name);
    await desk.press('下一步：告知书');
    await desk.press('患者已签字，下一步');
    await desk.fill('签字单编号', '2026-000124');
    await desk.choose('如何核对身份', '电子健康卡');
    await desk.press('登记，立即生效');
    await desk.sees('已登记，立即生效');
  });
  const doctor = await stage.staff('C', region.doctorOf('walkin', 'C').login);
  await stage.station('walk-in-history', doctor, async () => {
    await doctor.follow(patient.name);
    await doctor.press('检索并获取外院资料');
    await doctor.seesAtLast(() => documents(doctor, region, 'A', '已到达'));
  });
  await stage.station('walk-in-document', doctor, () => opens(doctor, region, 'A', '', patient));
}

/** The documents of a hospital in the list that stand like this here. */
export const documents = (doctor, region, letter, state) =>
  doctor.page.getByRole('listitem').filter({ hasText: region.hospital(letter).name }).filter({ hasText: state });

/** Opens one that has arrived and not been opened; its own words name the patient. */
async function opens(doctor, region, letter, kind, patient) {
  await documents(doctor, region, letter, '已到达').filter({ hasText: kind }).first().getByRole('link').click();
  await doctor.seesDocument(patient.name);
  await doctor.sees(documents(doctor, region, letter, '已打开').first());
}
