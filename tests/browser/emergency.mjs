/** An emergency: a doctor whom nothing ties to the patient breaks the glass, asks another hospital, and is judged by somebody else. */

import assert from 'node:assert/strict';
import { documents } from './received.mjs';

export async function emergency(stage) {
  const { region } = stage;
  // Known at A and B, and nobody at B has been let see what A has.
  const patient = region.patient('revoker');
  const doctor = await stage.staff('B', strangerTo(region, patient, 'B'));
  await nothingTiesThem(stage, doctor, patient);
  await breaksTheGlass(stage, doctor, patient);
  await stage.station('emergency-elsewhere', doctor, async () => {
    await doctor.press('紧急检索外院资料');
    await doctor.seesAtLast(() => documents(doctor, region, 'A', '已到达'));
    await documents(doctor, region, 'A', '已到达').first().getByRole('link').click();
    await doctor.seesDocument(patient.name);
  });
  await isJudged(stage, patient);
  await patientReads(stage, patient);
}

/** A doctor of a hospital who has not seen the patient there. */
function strangerTo(region, patient, letter) {
  const doctors = region.hospital(letter).accounts.filter(({ role }) => role === 'doctor');
  return doctors.find(({ login }) => login !== patient.doctors[letter]).login;
}

async function nothingTiesThem(stage, doctor, patient) {
  await stage.station('nothing-ties-them', doctor, async () => {
    await doctor.follow('查找患者');
    await doctor.page.getByText('身份证号', { exact: true }).click();
    await doctor.fill('身份证号', patient.residentId);
    await doctor.press('查找');
    await doctor.sees('没有找到这位患者');
    await doctor.sees(doctor.page.getByRole('button', { name: '紧急查阅' }));
  });
}

async function breaksTheGlass(stage, doctor, patient) {
  await stage.station('emergency-reason', doctor, async () => {
    await doctor.press('紧急查阅');
    await doctor.press('确认抢救，开始查阅', doctor.dialog());
    await doctor.sees('请选择理由');
    await doctor.dialog().getByText('昏迷或意识不清').click();
    await doctor.fill('具体情况', '120 送入，车祸昏迷，家属电话未接通');
  });
  await stage.station('emergency-begun', doctor, async () => {
    await doctor.press('确认抢救，开始查阅', doctor.dialog());
    await doctor.seesHeading(patient.name);
    await doctor.sees(doctor.page.locator('.emergency').filter({ hasText: '紧急查阅中' }));
    assert.equal(await doctor.page.getByRole('tab').count(), 1, 'the record, and nothing else');
    await doctor.sees(doctor.page.getByRole('listitem').first());
  });
}

async function isJudged(stage, patient) {
  const affairs = await stage.staff('B', 'affairs');
  await stage.station('emergency-to-judge', affairs, async () => {
    await affairs.sees(affairs.page.getByRole('article').filter({ hasText: patient.name }));
    await affairs.sees('打开资料');
  });
  await stage.station('emergency-judged', affairs, async () => {
    await affairs.page.getByText('属于抢救，合理', { exact: true }).click();
    await affairs.fill('审核意见', '与急诊抢救记录相符');
    await affairs.press('提交审核');
    await affairs.sees('没有待审核的紧急查阅');
    await affairs.page.getByText('已审核', { exact: true }).click();
    await affairs.sees('与急诊抢救记录相符');
  });
  await stage.station('audit-anchors', affairs, async () => {
    await affairs.follow('审计存证');
    await affairs.seesHeading('审计存证');
    await affairs.sees('本院审计行数');
    await affairs.sees(affairs.page.getByText(/^逐行核对(前后相符|与区域日志的锚定一致)/).first());
  });
}

async function patientReads(stage, patient) {
  const doctor = await stage.staff('A', stage.region.doctorOf('revoker', 'A').login);
  await doctor.follow(patient.name);
  await stage.station('emergency-told', doctor, async () => {
    await doctor.page.getByRole('tab', { name: '访问记录' }).click();
    await doctor.seesAtLast(() => doctor.page.getByRole('row', { name: '抢救' }));
  });
}
